//! The bearer token: a client that has it may do everything, and without it nobody reads a job.

use poem::{
    Request,
    http::{HeaderMap, StatusCode, header},
};
use pv_lib::config::Secret;
use subtle::ConstantTimeEq;

use crate::openapi::Problem;

/// Paths that need no token: a monitor must not need one, and the description is the same everywhere and shown at
/// `/docs`.
const OPEN_PATHS: [&str; 3] = ["/api/v1/healthz", "/api/v1/openapi.json", "/api/v1/openapi.yaml"];

/// The token that requests must carry.
#[derive(Debug, Clone)]
pub(crate) struct Token(Secret);

impl Token {
    /// Makes `secret` the token.
    pub(crate) fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Accepts a request of the API that carries the token, and any for the health or the description of the service.
    ///
    /// # Errors
    /// 401 when there is no token or another one: nobody becomes anonymous because a token is wrong.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Problem> {
        if OPEN_PATHS.contains(&request.original_uri().path()) || self.is_in(request.headers()) {
            return Ok(());
        }
        let detail = match request.headers().contains_key(header::AUTHORIZATION) {
            true => {
                "this is not the service's token: send `Authorization: Bearer TOKEN` with the one that it was given"
            }
            false => {
                "a token is needed: send `Authorization: Bearer TOKEN`, with the one in the service's PV_API_TOKEN_FILE"
            }
        };
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
    }

    /// Tells whether headers carry the token. Takes the same time for every wrong one of the right length.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
        let (token, secret) = (token.trim().as_bytes(), self.0.expose().as_bytes());
        scheme.eq_ignore_ascii_case("bearer") && token.ct_eq(secret).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_counts() {
        let token = Token::new(Secret::new("s3cret".into()));
        let check = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            token.is_in(&headers)
        };
        for right in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret "] {
            assert!(check(&[right]), "{right}");
        }
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret2", "Bearer S3cret", "Basic s3cret", "s3cret"]
        {
            assert!(!check(&[wrong]), "{wrong}");
        }
        assert!(!check(&[]));
        assert!(!check(&["Bearer s3cret", "Bearer s3cret"]), "two of them are refused");
    }
}
