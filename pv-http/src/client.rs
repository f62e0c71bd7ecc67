//! Clients of an API, for the page's service and the command line: plain, or by TLS with the certificates that this host
//! trusts.

use std::{error::Error as StdError, io, path::PathBuf, sync::Arc};

use reqwest::ClientBuilder;
use rustls::{ClientConfig, Error as TlsError, RootCertStore, crypto::ring};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "no certificate of an authority can be read from {place}{problems}: install the system's (Debian: ca-certificates), or \
     let SSL_CERT_FILE name a file with them (PEM)"
)]
pub struct NoCertificates {
    place: String,
    problems: String,
}

/// Prepares a client of the API at `address`. An `https://` address is trusted by the system's certificates, or by those
/// that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead, and no response leads it to one without TLS. The environment's
/// proxies are not for an API of one's own.
///
/// # Errors
/// [`NoCertificates`], for an `https://` address.
pub fn api_client(address: &str) -> Result<ClientBuilder, NoCertificates> {
    let is_https = address.starts_with("https://");
    // Reading them takes a while, and a host without TLS may have none.
    let roots = if is_https { roots()? } else { RootCertStore::empty() };
    Ok(client_with(roots, is_https))
}

fn client_with(roots: RootCertStore, is_https: bool) -> ClientBuilder {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
    let client = ClientBuilder::new().no_proxy().https_only(is_https);
    match config {
        Ok(config) => client.tls_backend_preconfigured(config),
        // Never so: the provider has a version that is safe.
        Err(_) => client,
    }
}

fn roots() -> Result<RootCertStore, NoCertificates> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    if let Some(file) = named("SSL_CERT_FILE") {
        // A folder that is named as well would hide that it is of no use.
        usable(load_certs_from_paths(Some(&file), None), || file.display().to_string())?;
    }
    let place = || named("SSL_CERT_DIR").map_or_else(|| "the system".to_owned(), |dir| dir.display().to_string());
    usable(load_native_certs(), place)
}

fn usable(loaded: CertificateResult, place: impl FnOnce() -> String) -> Result<RootCertStore, NoCertificates> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let problems = loaded.errors.iter().map(|problem| format!("; {problem}")).collect();
    Err(NoCertificates { place: place(), problems })
}

/// Returns what is wrong with the TLS of a peer, and what to do; `None` where an error is another.
#[must_use]
pub fn tls_problem(error: &(dyn StdError + 'static)) -> Option<String> {
    match tls_error(error)? {
        error @ TlsError::InvalidCertificate(_) => Some(format!(
            "its certificate is not accepted ({error}): where an authority of your own signed it, let SSL_CERT_FILE name \
             that authority's certificate (PEM); else check the address, and the clocks"
        )),
        error @ TlsError::InvalidMessage(_) => Some(format!(
            "it does not speak TLS ({error}): where it is meant to be asked without, the address begins with http://"
        )),
        error => Some(format!("there is no TLS with it: {error}")),
    }
}

/// Finds what the TLS library said among the causes of an error; it is inside errors of a connection.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        // Their `source` is that of what they hold.
        let held = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as &(dyn StdError + 'static)).or_else(|| cause.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn c25_what_is_wrong_with_tls_says_what_to_do() {
        let unknown = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        let message = TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        for (error, part) in [
            (unknown, "SSL_CERT_FILE"),
            (TlsError::InvalidCertificate(CertificateError::Expired), "the clocks"),
            (message, "http://"),
            (TlsError::HandshakeNotComplete, "no TLS with it"),
        ] {
            let text = tls_problem(&io::Error::other(io::Error::other(error.clone()))).expect("is found inside");
            assert_eq!(Some(&text), tls_problem(&error).as_ref());
            assert!(text.contains(part) && text.contains(&error.to_string()), "{text}");
        }
        assert_eq!(tls_problem(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }

    #[tokio::test]
    async fn c25_an_address_with_tls_is_never_left_for_one_without() {
        let client = client_with(RootCertStore::empty(), true).build().unwrap();
        let refused = client.get("http://127.0.0.1:1/").send().await.unwrap_err();
        assert!(refused.is_builder(), "{refused:?}");
        let plain = api_client("http://localhost:1/api/v1").unwrap().build().unwrap();
        assert!(plain.get("http://127.0.0.1:1/").send().await.unwrap_err().is_connect());
    }
}
