//! Binding a service's address.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

/// A service that could not be started; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Other hosts could reach the address, and no setting allows that.
    #[error(
        "will not listen on {0}, which other hosts can reach, without a token: set PV_API_TOKEN_FILE (`pv token new` makes \
         one), bind 127.0.0.1 (PV_BIND_HOST), or set PV_ALLOW_INSECURE_BIND=1 if everyone who can reach it may submit and \
         abort jobs"
    )]
    NotLoopback(String),
    /// The host name resolves to no address.
    #[error("cannot find the address of `{host}`: set {variable} to an address of this host, such as 127.0.0.1")]
    NoAddress {
        /// The name of the settings.
        host: String,
        /// The variable that names it.
        variable: &'static str,
        /// The error of the system, if there was one.
        source: Option<io::Error>,
    },
    /// The API's address cannot be used.
    #[error(
        "cannot ask the API at `{address}`: {problem}: set PV_API_BASE_URL to one such as http://127.0.0.1:8888/api/v1"
    )]
    ApiAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {}", remedy(source, *variables))]
    Bind {
        /// The address and port.
        address: String,
        /// The variables that name host and port.
        variables: [&'static str; 2],
        /// The error of the system.
        source: io::Error,
    },
}

fn remedy(error: &io::Error, [host, port]: [&str; 2]) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("address already in use: stop the program that has it, or set {port} to a free port")
        }
        io::ErrorKind::AddrNotAvailable => format!("this host has no such address: set {host} to one that it has"),
        io::ErrorKind::PermissionDenied => format!("it needs privileges: set {port} to a port above 1023"),
        _ => format!("the system refused: see the cause, and check {host} and {port}"),
    }
}

/// Binds an address; `variables` are the names of the settings of host and port, which errors name.
///
/// # Errors
/// [`ServeError`]: an address beyond loopback where that is not allowed, one that does not exist, or one that is taken.
pub(crate) async fn bind(
    host: &str,
    port: u16,
    beyond_loopback: bool,
    variables: [&'static str; 2],
) -> Result<(TcpListener, SocketAddr), ServeError> {
    let addresses = resolve(host, port, variables[0]).await?;
    if !beyond_loopback && !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(ServeError::NotLoopback(host.to_owned()));
    }
    let refused = |source| ServeError::Bind { address: format!("{host}:{port}"), variables, source };
    let listener = TcpListener::bind(&*addresses).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

async fn resolve(host: &str, port: u16, variable: &'static str) -> Result<Vec<SocketAddr>, ServeError> {
    let not_found = |source| ServeError::NoAddress { host: host.to_owned(), variable, source };
    let found = tokio::net::lookup_host((host.trim_start_matches('[').trim_end_matches(']'), port)).await;
    let addresses: Vec<_> = found.map_err(|error| not_found(Some(error)))?.collect();
    if addresses.is_empty() { Err(not_found(None)) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(host: &str, port: u16, variables: [&'static str; 2]) -> String {
        bind(host, port, true, variables).await.map(|(_, address)| address).expect_err("is refused").to_string()
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_in_the_systems_words_with_what_to_do() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        for (host, variables) in [
            ("127.0.0.1", ["PV_BIND_HOST", "PV_BIND_PORT"]),
            ("localhost", ["PV_UI_BIND_HOST", "PV_UI_BIND_PORT"]),
            ("0.0.0.0", ["PV_UI_BIND_HOST", "PV_UI_BIND_PORT"]),
        ] {
            let said = refused(host, port, variables).await;
            let expected = format!(
                "cannot listen on {host}:{port}: address already in use: stop the program that has it, or set {} to a \
                 free port",
                variables[1]
            );
            assert_eq!(said, expected);
        }
    }

    #[tokio::test]
    async fn an_address_that_this_host_has_not_is_named_with_its_setting() {
        let said = refused("192.0.2.1", 0, ["PV_BIND_HOST", "PV_BIND_PORT"]).await;
        assert!(said.ends_with("this host has no such address: set PV_BIND_HOST to one that it has"), "{said}");
    }
}
