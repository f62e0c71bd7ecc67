//! Which backend the global flags name.

use super::{local::Local, operations::Backend, remote::Remote};
use crate::{context::Context, exit::Failure};

/// Opens what the global flags name.
///
/// # Errors
/// A setting or an address that cannot be used: exit code 2.
pub(crate) fn open(context: &Context) -> Result<Box<dyn Backend>, Failure> {
    Ok(match &context.api {
        Some(url) => Box::new(Remote::new(url)?),
        None => {
            // What a member of the services' group makes, the services must be able to write: as their units' UMask.
            rustix::process::umask(rustix::fs::Mode::RWXO);
            Box::new(Local::new(context.config()?))
        }
    })
}
