//! Integration tests.

mod supervise;
