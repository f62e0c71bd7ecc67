//! Runnable examples of Prompt Valet; each is a file beside this package.
