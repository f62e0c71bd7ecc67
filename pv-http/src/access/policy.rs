//! Who may send requests: what is checked of every one before anything else looks at it, at the API and at the page's
//! service.
//!
//! A service on loopback asks for no token, so a browser on the same host must not send requests for a page from
//! elsewhere. In this order:
//!
//! 1. `Host` names this service, exactly. Another name may have been made to resolve to this host (DNS rebinding): 421.
//! 2. What a browser says of the page that sends the request (`Origin`, `Sec-Fetch-Site`) names no other origin, or it
//!    is 403. Only a link that a person follows may come from anywhere. No response ever permits another origin (CORS).
//! 3. The page's service, which by default listens on every address, is read-only for remote clients:
//!
//! | who sends a request to the page's service | reads | writes |
//! |---|---|---|
//! | a peer on this host, by this host's own name or address, with no header of a proxy | yes | yes |
//! | anyone else | yes | no: 403 |
//! | anyone else, with the token that the service itself holds | yes | yes |
//! | anyone else, where `PV_UI_ALLOW_REMOTE_WRITE` is on | yes | yes |
//!
//! "Yes" means: goes on to the API, which asks for its own token if it has one. A token that the page's service cannot
//! compare counts for nothing here, since an API that asks for none would take any. A name that only `PV_ALLOWED_HOSTS`
//! gives is one of a proxy: a request for it came through one, even where that passes on nothing but `Host`.

use std::{net::IpAddr, sync::Arc};

use poem::{
    Addr, Endpoint, EndpointExt, IntoResponse, Request, Response,
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
};

use super::{
    headers::add_security_headers,
    hosts::{Authority, Hosts},
    token::Token,
};
use crate::openapi::Problem;

/// Headers that a proxy adds to a request of somebody else; so are all that begin with `x-forwarded-`.
const PROXY_HEADERS: [&str; 8] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
];

/// What remote clients may do: those that are not on this host, or come through a proxy.
#[derive(Debug, Clone)]
pub(crate) enum RemoteAccess {
    /// Read and write, as on this host.
    Write,
    /// Read; write with this token.
    WriteWith(Token),
    /// Read only.
    ReadOnly,
}

/// Which requests a service accepts.
#[derive(Debug, Clone)]
pub(crate) struct AccessPolicy {
    hosts: Hosts,
    remote: RemoteAccess,
}

impl AccessPolicy {
    /// Makes the policy of a service that has these names.
    pub(crate) fn new(hosts: Hosts, remote: RemoteAccess) -> Self {
        Self { hosts, remote }
    }

    /// Wraps an endpoint, which gets the requests that this policy accepts. Every response, refusals too, carries the
    /// headers that tell browsers what they may do with it.
    pub(crate) fn layer<E>(self, endpoint: E) -> impl Endpoint<Output = Response> + 'static
    where
        E: Endpoint<Output = Response> + 'static,
    {
        let policy = Arc::new(self);
        let checked = move |endpoint: Arc<E>, request: Request| {
            let policy = policy.clone();
            async move {
                let mut response = match policy.check(&request) {
                    Ok(()) => endpoint.get_response(request).await,
                    Err(problem) => problem.into_response(),
                };
                add_security_headers(response.headers_mut());
                Ok(response)
            }
        };
        endpoint.around(checked)
    }

    /// Checks a request by its head.
    ///
    /// # Errors
    /// 421 and 403, as the module says.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Problem> {
        let host = self.check_host(request)?;
        check_origin(request, &host)?;
        let is_remote = || is_remote(request) || !self.hosts.is_own(&host, ip(request.local_addr()));
        if is_write(request.method()) && is_remote() { self.check_remote_write(request.headers()) } else { Ok(()) }
    }

    /// Returns the host that a request names, if it is one name of this service.
    fn check_host(&self, request: &Request) -> Result<Authority, Problem> {
        let misdirected = |what: String| {
            let detail = format!(
                "{what}: ask by an address of this host, by its name, or by one that PV_ALLOWED_HOSTS lists, with one \
                 `Host` header"
            );
            Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)
        };
        let mut values = request.headers().get_all(header::HOST).iter();
        let host = match (values.next(), values.next()) {
            (Some(host), None) => host.to_str().ok().and_then(Authority::parse),
            _ => None,
        };
        let host = host.ok_or_else(|| misdirected("it is not clear which host is meant".into()))?;
        // A request target that names a host itself counts before the header.
        let target = request.uri().authority().map(|target| Authority::parse(target.as_str()));
        if target.is_some_and(|target| target.as_ref() != Some(&host)) {
            return Err(misdirected("two hosts are named".into()));
        }
        if self.hosts.accept(&host, ip(request.local_addr())) {
            Ok(host)
        } else {
            Err(misdirected("this service does not go by that name".into()))
        }
    }

    fn check_remote_write(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match &self.remote {
            RemoteAccess::Write => Ok(()),
            RemoteAccess::WriteWith(token) if token.is_in(headers) => Ok(()),
            RemoteAccess::WriteWith(_) | RemoteAccess::ReadOnly => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "from another host, through a proxy, or by a name that only PV_ALLOWED_HOSTS gives, this page only \
                 shows: to change something, set a token for the API and the page's service (PV_API_TOKEN_FILE) and \
                 send it, or set PV_UI_ALLOW_REMOTE_WRITE=1 for the page's service if everyone who reaches it may \
                 submit and abort jobs",
            )),
        }
    }
}

/// Tells whether a request with this method may change anything.
fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses what a browser sends for a page of another origin.
fn check_origin(request: &Request, host: &Authority) -> Result<(), Problem> {
    let headers = request.headers();
    let all = |name: HeaderName, is_allowed: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(is_allowed))
    };
    let is = |name: &str, expected: &str| headers.get(name).is_some_and(|value| value == expected);
    let same_origin = all(header::ORIGIN, &|origin| host.is_origin(origin));
    let same_site = all(HeaderName::from_static("sec-fetch-site"), &|site| matches!(site, "same-origin" | "none"));
    // The response to a link that is followed is shown to the person, and no page can read it.
    let is_link =
        || !is_write(request.method()) && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    if same_origin && (same_site || is_link()) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "a browser asks for a page from elsewhere, which may neither read nor change anything here: open this service's \
         own page, or ask from a program",
    ))
}

/// Tells whether a request comes from another host, or may: its peer is not on loopback, or a proxy forwarded it.
fn is_remote(request: &Request) -> bool {
    let is_local = ip(request.remote_addr()).is_some_and(|peer| peer.to_canonical().is_loopback());
    let is_proxys =
        |name: &HeaderName| name.as_str().starts_with("x-forwarded-") || PROXY_HEADERS.contains(&name.as_str());
    !is_local || request.headers().keys().any(is_proxys)
}

/// Returns the IP address of one end of a connection, if it has one.
pub(crate) fn ip(address: &Addr) -> Option<IpAddr> {
    match address {
        Addr::SocketAddr(address) => Some(address.ip()),
        Addr::Unix(_) | Addr::Custom(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use poem::{
        Body, RequestParts,
        http::{HeaderValue, uri::Scheme},
        web::{LocalAddr, RemoteAddr},
    };
    use pv_lib::config::Secret;

    use super::*;

    /// A request from `peer` with these headers and a `Host` that is accepted.
    fn request(method: Method, peer: &str, headers: &[(&str, &str)]) -> Request {
        let mut parts = http::Request::builder().method(method).uri("/api/v1/jobs").body(()).unwrap().into_parts().0;
        parts.headers.insert("host", HeaderValue::from_static("localhost:8080"));
        for (name, value) in headers {
            parts.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let (peer, local) = ((peer.parse::<IpAddr>().unwrap(), 40000), ([192, 168, 1, 5], 8080));
        let peer = RemoteAddr(Addr::SocketAddr(peer.into()));
        let parts = RequestParts::from((parts, LocalAddr(Addr::SocketAddr(local.into())), peer, Scheme::HTTP));
        Request::from_parts(parts, Body::empty())
    }

    fn policy(remote: RemoteAccess) -> AccessPolicy {
        AccessPolicy::new(Hosts::new("valet", &[]), remote)
    }

    fn with_token() -> RemoteAccess {
        RemoteAccess::WriteWith(Token::new(Secret::new("s3cret".into())))
    }

    #[test]
    fn g28_remote_clients_read_and_write_by_token_or_setting_only() {
        const LOCAL: (&str, &[(&str, &str)]) = ("127.0.0.1", &[]);
        const PROXIED: (&str, &[(&str, &str)]) = ("127.0.0.1", &[("x-forwarded-for", "10.0.0.9")]);
        const REMOTE: (&str, &[(&str, &str)]) = ("192.168.1.9", &[]);
        const WITH_TOKEN: (&str, &[(&str, &str)]) = ("192.168.1.9", &[("authorization", "Bearer s3cret")]);
        const WITH_ANOTHER: (&str, &[(&str, &str)]) = ("192.168.1.9", &[("authorization", "Bearer secret")]);
        let write = || RemoteAccess::Write;
        let read_only = || RemoteAccess::ReadOnly;
        for ((peer, headers), remote, may_write) in [
            (LOCAL, read_only(), true),
            (LOCAL, with_token(), true),
            (LOCAL, write(), true),
            (PROXIED, read_only(), false),
            (PROXIED, with_token(), false),
            (PROXIED, write(), true),
            (REMOTE, read_only(), false),
            (REMOTE, with_token(), false),
            (REMOTE, write(), true),
            (WITH_TOKEN, read_only(), false),
            (WITH_TOKEN, with_token(), true),
            (WITH_TOKEN, write(), true),
            (WITH_ANOTHER, read_only(), false),
            (WITH_ANOTHER, with_token(), false),
            (WITH_ANOTHER, write(), true),
        ] {
            let policy = policy(remote);
            assert!(policy.check(&request(Method::GET, peer, headers)).is_ok(), "{peer} {headers:?} reads");
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let checked = policy.check(&request(method, peer, headers));
                assert_eq!(checked.is_ok(), may_write, "{peer} {headers:?} {policy:?}");
            }
        }
    }

    #[test]
    fn a_request_that_may_come_from_another_host_is_remote() {
        for (peer, expected) in [
            ("127.0.0.1", false),
            ("127.0.0.2", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("192.168.1.5", true),
            ("::ffff:192.168.1.9", true),
            ("0.0.0.0", true),
            ("fe80::1", true),
        ] {
            assert_eq!(is_remote(&request(Method::GET, peer, &[])), expected, "{peer}");
        }
        for name in PROXY_HEADERS.iter().chain(&["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]) {
            assert!(is_remote(&request(Method::GET, "127.0.0.1", &[(name, "")])), "{name}");
        }
        assert!(is_remote(&Request::default()), "its address is not known");
    }

    #[test]
    fn a_request_for_a_name_that_only_the_settings_give_is_remote() {
        let policy = |remote| AccessPolicy::new(Hosts::new("valet", &["pv.example".into()]), remote);
        let request_for = |method, host: &str| {
            let mut request = request(method, "127.0.0.1", &[]);
            request.headers_mut().insert("host", host.parse().unwrap());
            request
        };
        for (host, may_write) in [
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("valet", true),
            ("192.168.1.5:8080", true),
            ("pv.example", false),
            ("PV.example.:443", false),
        ] {
            let is_accepted = |remote, method| policy(remote).check(&request_for(method, host)).is_ok();
            assert!(is_accepted(RemoteAccess::ReadOnly, Method::GET), "{host} reads");
            assert_eq!(is_accepted(RemoteAccess::ReadOnly, Method::POST), may_write, "{host}");
            assert!(is_accepted(RemoteAccess::Write, Method::POST), "{host}");
        }
    }

    #[test]
    fn a_refusal_names_the_settings_that_would_allow_it() {
        let refused = policy(RemoteAccess::ReadOnly).check(&request(Method::POST, "10.0.0.9", &[])).unwrap_err();
        let text = format!("{refused:?}");
        assert!(text.contains("PV_API_TOKEN_FILE") && text.contains("PV_UI_ALLOW_REMOTE_WRITE"), "{text}");
    }

    #[test]
    fn a_link_may_be_followed_from_anywhere_and_nothing_else_may() {
        let policy = policy(RemoteAccess::ReadOnly);
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(policy.check(&request(Method::GET, "127.0.0.1", &link)).is_ok());
        assert!(policy.check(&request(Method::POST, "127.0.0.1", &link)).is_err());
        for (at, value) in [(1, "no-cors"), (1, "cors"), (2, "iframe"), (2, "embed"), (2, "script"), (2, "image")] {
            let mut no_link = link;
            no_link[at].1 = value;
            assert!(policy.check(&request(Method::GET, "127.0.0.1", &no_link)).is_err(), "{value}");
        }
    }

    #[test]
    fn a_host_must_be_named_once_and_the_same_everywhere() {
        let policy = policy(RemoteAccess::ReadOnly);
        let mut twice = request(Method::GET, "127.0.0.1", &[]);
        twice.headers_mut().append("host", HeaderValue::from_static("localhost:8080"));
        let mut none = request(Method::GET, "127.0.0.1", &[]);
        none.headers_mut().remove("host");
        let mut other_target = request(Method::GET, "127.0.0.1", &[]);
        *other_target.uri_mut() = "http://evil.example/api/v1/jobs".parse().unwrap();
        for refused in [twice, none, other_target] {
            assert_eq!(policy.check(&refused).unwrap_err().status(), StatusCode::MISDIRECTED_REQUEST);
        }
        let mut same_target = request(Method::GET, "127.0.0.1", &[]);
        *same_target.uri_mut() = "http://localhost:8080/api/v1/jobs".parse().unwrap();
        assert!(policy.check(&same_target).is_ok());
        assert!(policy.check(&request(Method::GET, "10.0.0.9", &[("host", "192.168.1.5:8080")])).is_ok());
    }
}
