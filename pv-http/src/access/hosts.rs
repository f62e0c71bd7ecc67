//! The host names of a service. A name that a page made to resolve to this host (DNS rebinding) is none of them.

use std::net::{IpAddr, Ipv6Addr};

/// What `Host` and `Origin` carry: a name or an address, and perhaps a port.
///
/// Names are compared in lower case and without the dot that may end them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    name: String,
    port: Option<u16>,
}

impl Authority {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (address, rest) = bracketed.split_once(']')?;
                (IpAddr::from(address.parse::<Ipv6Addr>().ok()?).to_canonical().to_string(), rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                let name = name.strip_suffix('.').unwrap_or(name);
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
                if name.is_empty() || !name.bytes().all(is_plain) {
                    return None;
                }
                (name.to_ascii_lowercase(), rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { name, port })
    }

    /// Tells whether an `Origin` is that of this authority, by name and port.
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        let schemes = [("http://", 80), ("https://", 443)];
        schemes.iter().any(|(scheme, default_port)| {
            let origin = origin.strip_prefix(scheme).and_then(Self::parse);
            let port = |authority: &Self| authority.port.unwrap_or(*default_port);
            origin.is_some_and(|origin| origin.name == self.name && port(&origin) == port(self))
        })
    }
}

/// The host names of a service.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    own: Vec<Authority>,
    allowed: Vec<Authority>,
}

impl Hosts {
    /// Loopback names and addresses, the address that a client connected to, `own_name`, and the `allowed` ones of the
    /// settings: with a port they mean that port, else any.
    pub(crate) fn new(own_name: &str, allowed: &[String]) -> Self {
        let own = ["localhost", own_name].into_iter().filter_map(Authority::parse).collect();
        Self { own, allowed: allowed.iter().filter_map(|name| Authority::parse(name)).collect() }
    }

    /// Tells whether a request may name `host`, on a connection to the address `local`.
    pub(crate) fn accept(&self, host: &Authority, local: Option<IpAddr>) -> bool {
        self.is_own(host, local) || is_among(host, &self.allowed)
    }

    /// Tells whether `host` is this host's own name or address, and not one that only the settings give it.
    pub(crate) fn is_own(&self, host: &Authority, local: Option<IpAddr>) -> bool {
        let address = host.name.parse::<IpAddr>().ok();
        address.is_some_and(|address| address.is_loopback() || local.map(|local| local.to_canonical()) == Some(address))
            || is_among(host, &self.own)
    }
}

fn is_among(host: &Authority, known: &[Authority]) -> bool {
    known.iter().any(|known| known.name == host.name && (known.port.is_none() || known.port == host.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_its_own_names_and_no_others() {
        let hosts = Hosts::new("valet", &["pv.example".into(), "only.example:8443".into(), "[2001:db8::1]".into()]);
        let accepts = |host: &str, local: &str| {
            Authority::parse(host).is_some_and(|host| hosts.accept(&host, Some(local.parse().unwrap())))
        };
        for host in [
            "localhost",
            "LocalHost:8888",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8888",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "valet",
            "VALET:8080",
            "pv.example",
            "pv.example.:8443",
            "only.example:8443",
            "[2001:DB8::1]:80",
            "192.168.1.5:8080",
        ] {
            assert!(accepts(host, "192.168.1.5"), "{host}");
        }
        for host in [
            "",
            ".",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "pv.example.evil.example",
            "only.example",
            "only.example:1",
            "192.168.1.6",
            "0.0.0.0",
            "[::]",
            "127.1",
            "0x7f000001",
            "2130706433",
            "localhost:",
            "localhost:+1",
            "localhost:99999",
            "localhost:80:80",
            "localhost@evil.example",
            "evil.example#localhost",
            "localhost evil.example",
            "[::1",
            "::1",
            "[::1]x",
            "[localhost]",
            "löcalhost",
        ] {
            assert!(!accepts(host, "192.168.1.5"), "{host}");
        }
        assert!(accepts("192.168.1.5", "::ffff:192.168.1.5"), "as a socket for both families gives it");
        assert!(!accepts("192.168.1.5", "127.0.0.1"), "not the address of this connection");
        for (host, own) in [("valet:1", true), ("127.0.0.1", true), ("192.168.1.5", true), ("pv.example", false)] {
            let local = Some("192.168.1.5".parse().unwrap());
            assert_eq!(hosts.is_own(&Authority::parse(host).unwrap(), local), own, "{host}");
        }
    }

    #[test]
    fn an_origin_is_the_same_by_name_and_port() {
        for (host, origin, same) in [
            ("localhost:8888", "http://localhost:8888", true),
            ("localhost:8888", "https://LOCALHOST:8888", true),
            ("pv.example", "https://pv.example", true),
            ("pv.example:443", "https://pv.example", true),
            ("pv.example", "http://pv.example:80", true),
            ("[::1]:8888", "http://[::1]:8888", true),
            ("localhost:8888", "http://localhost:8080", false),
            ("localhost:8888", "http://localhost", false),
            ("localhost:8888", "http://127.0.0.1:8888", false),
            ("localhost:8888", "null", false),
            ("localhost:8888", "", false),
            ("localhost:8888", "localhost:8888", false),
            ("localhost:8888", "file://localhost:8888", false),
            ("localhost:8888", "http://localhost:8888/", false),
            ("localhost:8888", "http://localhost:8888.evil.example", false),
            ("localhost:8888", "http://evil.example", false),
        ] {
            assert_eq!(Authority::parse(host).unwrap().is_origin(origin), same, "{host} {origin}");
        }
    }
}
