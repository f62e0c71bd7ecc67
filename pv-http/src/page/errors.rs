//! The responses to requests that no endpoint took: JSON with a `detail`, like those of operations.

use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response};

use super::docs::{Docs, READ_ONLY};
use crate::openapi::error_response;

/// Wraps an endpoint, whose errors become responses. One to a method that the path does not have names those that it has.
pub(crate) fn with_error_responses(endpoint: impl Endpoint + 'static) -> impl Endpoint<Output = Response> + 'static {
    let endpoint = endpoint.around(|endpoint, request: Request| async move {
        let path = request.uri().path().to_owned();
        Ok(match endpoint.call(request).await {
            Ok(answer) => answer.into_response(),
            // All that is not the API's is only read.
            Err(error) => error_response(error, || Docs::allow(&path).unwrap_or(READ_ONLY)),
        })
    });
    endpoint.map_to_response()
}
