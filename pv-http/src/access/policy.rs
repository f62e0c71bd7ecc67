//! The doors: what every request passes before anything else looks at it, at the API and at the page's service.
//!
//! A service on loopback asks for no token, so a browser on the same host must not become the hand of a page from
//! elsewhere. In this order:
//!
//! 1. `Host` names this service, exactly: a name that was made to mean this host gets 421.
//! 2. What a browser says of the page that asks (`Origin`, `Sec-Fetch-Site`) names no other place, or it is 403. Only a
//!    link that a person follows may come from anywhere. No answer ever carries a permission for another origin (CORS).
//! 3. The page's service, which by default listens on every address, lets strangers only read:
//!
//! | who asks the page's service | reads | changes |
//! |---|---|---|
//! | a peer on this host, by this host's own name or address, with no header of a proxy | yes | yes |
//! | anyone else | yes | no: 403 |
//! | anyone else, with the token that the service itself holds | yes | yes |
//! | anyone else, where `PV_UI_ALLOW_REMOTE_WRITE` is on | yes | yes |
//!
//! "Yes" means: goes on to the API, which asks for its own token if it has one. A token that the page's service cannot
//! compare counts for nothing here, since an API that asks for none would take any. A name that only `PV_ALLOWED_HOSTS`
//! gives is one that a proxy answers to: who asks by it came through one, even where that passes on nothing but `Host`.

use std::{net::IpAddr, sync::Arc};

use poem::{
    Addr, Endpoint, EndpointExt, IntoResponse, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
};

use super::{
    hosts::{Authority, Hosts},
    token::Token,
};
use crate::openapi::Problem;

/// What every answer tells a browser: whose it is, what it may load, and who may frame it.
const SENT: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Headers by which a proxy says that somebody else asks; so do all that begin with `x-forwarded-`.
const FORWARDING: [&str; 8] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
];

/// What a service lets those change who are not on this host.
#[derive(Debug, Clone)]
pub(crate) enum Strangers {
    /// What anyone may.
    Change,
    /// What anyone may, if they bring this token.
    ChangeWith(Token),
    /// Nothing.
    Read,
}

/// The doors of one service.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    hosts: Hosts,
    strangers: Strangers,
}

impl Guard {
    /// Makes the doors of a service that answers to these names.
    pub(crate) fn new(hosts: Hosts, strangers: Strangers) -> Self {
        Self { hosts, strangers }
    }

    /// Puts these doors in front of an endpoint. Every answer, refusals too, says what browsers may do with it.
    pub(crate) fn before<E>(self, endpoint: E) -> impl Endpoint<Output = Response> + 'static
    where
        E: Endpoint<Output = Response> + 'static,
    {
        let guard = Arc::new(self);
        let through = move |endpoint: Arc<E>, request: Request| {
            let guard = guard.clone();
            async move {
                let mut response = match guard.admit(&request) {
                    Ok(()) => endpoint.get_response(request).await,
                    Err(problem) => problem.into_response(),
                };
                seal(response.headers_mut());
                Ok(response)
            }
        };
        endpoint.around(through)
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// 421 and 403, as the module says.
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Problem> {
        let host = self.host(request)?;
        refuse_other_pages(request, &host)?;
        let is_stranger = || is_stranger(request) || !self.hosts.are_this_host(&host, ip(request.local_addr()));
        if changes(request.method()) && is_stranger() { self.stranger(request.headers()) } else { Ok(()) }
    }

    fn host(&self, request: &Request) -> Result<Authority, Problem> {
        let misdirected = |what: String| {
            let detail = format!(
                "{what}: ask by an address of this host, by its name, or by one that PV_ALLOWED_HOSTS lists, with one \
                 `Host` header"
            );
            Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)
        };
        let mut given = request.headers().get_all(header::HOST).iter();
        let host = match (given.next(), given.next()) {
            (Some(host), None) => host.to_str().ok().and_then(Authority::parse),
            _ => None,
        };
        let host = host.ok_or_else(|| misdirected("it is not clear which host is meant".into()))?;
        // A target that names a host itself is believed before the header.
        let target = request.uri().authority().map(|target| Authority::parse(target.as_str()));
        if target.is_some_and(|target| target.as_ref() != Some(&host)) {
            return Err(misdirected("two hosts are named".into()));
        }
        if self.hosts.answer(&host, ip(request.local_addr())) {
            Ok(host)
        } else {
            Err(misdirected("this service does not go by that name".into()))
        }
    }

    fn stranger(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match &self.strangers {
            Strangers::Change => Ok(()),
            Strangers::ChangeWith(token) if token.is_in(headers) => Ok(()),
            Strangers::ChangeWith(_) | Strangers::Read => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "from another host, through a proxy, or by a name that only PV_ALLOWED_HOSTS gives, this page only \
                 shows: to change something, set a token for the API and the page's service (PV_API_TOKEN_FILE) and \
                 send it, or set PV_UI_ALLOW_REMOTE_WRITE=1 for the page's service if everyone who reaches it may \
                 submit and abort jobs",
            )),
        }
    }
}

/// Tells whether a method may change anything.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses what a page from elsewhere makes a browser ask.
fn refuse_other_pages(request: &Request, host: &Authority) -> Result<(), Problem> {
    let headers = request.headers();
    let all = |name: HeaderName, good: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(good))
    };
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    let same_origin = all(header::ORIGIN, &|origin| host.is_origin(origin));
    let same_site = all(HeaderName::from_static("sec-fetch-site"), &|site| matches!(site, "same-origin" | "none"));
    // A link that is followed shows the answer to the person and to nobody else.
    let is_link = || !changes(request.method()) && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    if same_origin && (same_site || is_link()) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "a browser asks for a page from elsewhere, which may neither read nor change anything here: open this service's \
         own page, or ask from a program",
    ))
}

/// Tells whether somebody asks who is not on this host, or may not be.
fn is_stranger(request: &Request) -> bool {
    let is_here = ip(request.remote_addr()).is_some_and(|peer| peer.to_canonical().is_loopback());
    let forwards = |name: &HeaderName| name.as_str().starts_with("x-forwarded-") || FORWARDING.contains(&name.as_str());
    !is_here || request.headers().keys().any(forwards)
}

/// Returns the IP address of one end of a connection, if it has one.
pub(crate) fn ip(address: &Addr) -> Option<IpAddr> {
    match address {
        Addr::SocketAddr(address) => Some(address.ip()),
        Addr::Unix(_) | Addr::Custom(..) => None,
    }
}

fn seal(headers: &mut HeaderMap) {
    for (name, value) in SENT {
        headers.insert(name, value);
    }
    // What jobs say stays out of a browser's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use poem::{
        Body, RequestParts,
        http::uri::Scheme,
        web::{LocalAddr, RemoteAddr},
    };
    use pv_lib::config::Secret;

    use super::*;

    /// A request from `peer` with these headers, beside a good `Host`.
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

    fn guard(strangers: Strangers) -> Guard {
        Guard::new(Hosts::new("valet", &[]), strangers)
    }

    fn token() -> Strangers {
        Strangers::ChangeWith(Token::new(Secret::new("s3cret".into())))
    }

    #[test]
    fn g28_strangers_read_and_change_by_token_or_setting_only() {
        const HERE: (&str, &[(&str, &str)]) = ("127.0.0.1", &[]);
        const PROXIED: (&str, &[(&str, &str)]) = ("127.0.0.1", &[("x-forwarded-for", "10.0.0.9")]);
        const AWAY: (&str, &[(&str, &str)]) = ("192.168.1.9", &[]);
        const WITH_TOKEN: (&str, &[(&str, &str)]) = ("192.168.1.9", &[("authorization", "Bearer s3cret")]);
        const WITH_ANOTHER: (&str, &[(&str, &str)]) = ("192.168.1.9", &[("authorization", "Bearer secret")]);
        let open = || Strangers::Change;
        let shut = || Strangers::Read;
        for ((peer, headers), strangers, may_change) in [
            (HERE, shut(), true),
            (HERE, token(), true),
            (HERE, open(), true),
            (PROXIED, shut(), false),
            (PROXIED, token(), false),
            (PROXIED, open(), true),
            (AWAY, shut(), false),
            (AWAY, token(), false),
            (AWAY, open(), true),
            (WITH_TOKEN, shut(), false),
            (WITH_TOKEN, token(), true),
            (WITH_TOKEN, open(), true),
            (WITH_ANOTHER, shut(), false),
            (WITH_ANOTHER, token(), false),
            (WITH_ANOTHER, open(), true),
        ] {
            let guard = guard(strangers);
            assert!(guard.admit(&request(Method::GET, peer, headers)).is_ok(), "{peer} {headers:?} reads");
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let admitted = guard.admit(&request(method, peer, headers));
                assert_eq!(admitted.is_ok(), may_change, "{peer} {headers:?} {guard:?}");
            }
        }
    }

    #[test]
    fn whoever_is_not_surely_on_this_host_is_a_stranger() {
        for (peer, stranger) in [
            ("127.0.0.1", false),
            ("127.0.0.2", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("192.168.1.5", true),
            ("::ffff:192.168.1.9", true),
            ("0.0.0.0", true),
            ("fe80::1", true),
        ] {
            assert_eq!(is_stranger(&request(Method::GET, peer, &[])), stranger, "{peer}");
        }
        for name in FORWARDING.iter().chain(&["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]) {
            assert!(is_stranger(&request(Method::GET, "127.0.0.1", &[(name, "")])), "{name}");
        }
        assert!(is_stranger(&Request::default()), "one whose address nobody knows");
    }

    #[test]
    fn a_name_that_only_the_settings_give_came_through_something() {
        let guard = |strangers| Guard::new(Hosts::new("valet", &["pv.example".into()]), strangers);
        let asked = |method, host: &str| {
            let mut request = request(method, "127.0.0.1", &[]);
            request.headers_mut().insert("host", host.parse().unwrap());
            request
        };
        for (host, may_change) in [
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("valet", true),
            ("192.168.1.5:8080", true),
            ("pv.example", false),
            ("PV.example.:443", false),
        ] {
            assert!(guard(Strangers::Read).admit(&asked(Method::GET, host)).is_ok(), "{host} reads");
            assert_eq!(guard(Strangers::Read).admit(&asked(Method::POST, host)).is_ok(), may_change, "{host}");
            assert!(guard(Strangers::Change).admit(&asked(Method::POST, host)).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_refusal_names_the_settings_that_would_allow_it() {
        let refused = guard(Strangers::Read).admit(&request(Method::POST, "10.0.0.9", &[])).unwrap_err();
        let said = format!("{refused:?}");
        assert!(said.contains("PV_API_TOKEN_FILE") && said.contains("PV_UI_ALLOW_REMOTE_WRITE"), "{said}");
    }

    #[test]
    fn a_link_may_be_followed_from_anywhere_and_nothing_else_may() {
        let guard = guard(Strangers::Read);
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(guard.admit(&request(Method::GET, "127.0.0.1", &link)).is_ok());
        assert!(guard.admit(&request(Method::POST, "127.0.0.1", &link)).is_err());
        for (at, other) in [(1, "no-cors"), (1, "cors"), (2, "iframe"), (2, "embed"), (2, "script"), (2, "image")] {
            let mut other_way = link;
            other_way[at].1 = other;
            assert!(guard.admit(&request(Method::GET, "127.0.0.1", &other_way)).is_err(), "{other}");
        }
    }

    #[test]
    fn a_host_must_be_named_once_and_alike() {
        let guard = guard(Strangers::Read);
        let mut twice = request(Method::GET, "127.0.0.1", &[]);
        twice.headers_mut().append("host", HeaderValue::from_static("localhost:8080"));
        let mut none = request(Method::GET, "127.0.0.1", &[]);
        none.headers_mut().remove("host");
        let mut other_target = request(Method::GET, "127.0.0.1", &[]);
        *other_target.uri_mut() = "http://evil.example/api/v1/jobs".parse().unwrap();
        for refused in [twice, none, other_target] {
            assert_eq!(guard.admit(&refused).unwrap_err().status(), StatusCode::MISDIRECTED_REQUEST);
        }
        let mut same_target = request(Method::GET, "127.0.0.1", &[]);
        *same_target.uri_mut() = "http://localhost:8080/api/v1/jobs".parse().unwrap();
        assert!(guard.admit(&same_target).is_ok());
        assert!(guard.admit(&request(Method::GET, "10.0.0.9", &[("host", "192.168.1.5:8080")])).is_ok());
    }
}
