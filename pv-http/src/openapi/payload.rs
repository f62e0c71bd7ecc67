//! What responses are made of: compact JSON, plain text, a stream of events; each with its description.

use std::marker::PhantomData;

use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

/// Compact JSON, ready to be sent, with the documented shape `T`.
///
/// Serialized where it is made, which for a long list is off the async runtime.
#[derive(Debug)]
pub(crate) struct Compact<T>(Vec<u8>, PhantomData<fn() -> T>);

impl<T> Compact<T> {
    /// Serializes `value`, which has the documented shape `T`.
    pub(crate) fn new(value: &impl Serialize) -> Self {
        // The values are maps with text keys, which always serialize.
        Self(serde_json::to_vec(value).unwrap_or_default(), PhantomData)
    }
}

impl<T: Type> Payload for Compact<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for Compact<T> {
    fn into_response(self) -> Response {
        Response::builder().content_type("application/json").body(self.0)
    }
}

impl<T: Type> ApiResponse for Compact<T> {
    fn meta() -> MetaResponses {
        ok::<Self>("Done")
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Text as it is on disk; bytes that are no UTF-8 become U+FFFD, since the content type says UTF-8.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) Vec<u8>);

/// What clients get beside the media type, which the description names alone: generators know no other.
const UTF_8: &str = "text/plain; charset=utf-8";

impl Payload for Text {
    const CONTENT_TYPE: &'static str = "text/plain";

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        let text = String::from_utf8(self.0).unwrap_or_else(|raw| String::from_utf8_lossy(raw.as_bytes()).into_owned());
        Response::builder().content_type(UTF_8).body(text)
    }
}

/// Text byte for byte, cut anywhere: for ranges, whose offsets matter more than valid UTF-8.
#[derive(Debug)]
pub(crate) struct RawText(pub(crate) Vec<u8>);

impl Payload for RawText {
    const CONTENT_TYPE: &'static str = Text::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for RawText {
    fn into_response(self) -> Response {
        Response::builder().content_type(UTF_8).body(self.0)
    }
}

impl ApiResponse for Text {
    fn meta() -> MetaResponses {
        ok::<Self>("The text")
    }

    fn register(_: &mut Registry) {}
}

/// A stream of server-sent events, framed by `streams/sse.rs`.
pub(crate) struct EventStream(pub(crate) Body);

impl Payload for EventStream {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        // Without a type: to some readers it describes the whole text, to others each event.
        let description = Some("Server-sent events, as text");
        MetaSchemaRef::Inline(Box::new(MetaSchema { description, ..MetaSchema::ANY }))
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(Self::CONTENT_TYPE)
            .header("cache-control", "no-cache")
            // Asks nginx not to buffer the stream.
            .header("x-accel-buffering", "no")
            .body(self.0)
    }
}

impl ApiResponse for EventStream {
    fn meta() -> MetaResponses {
        ok::<Self>("The stream")
    }

    fn register(_: &mut Registry) {}
}

/// Describes a response of 200 that has the media type of `P`.
pub(crate) fn ok<P: Payload>(description: &'static str) -> MetaResponses {
    let content = vec![MetaMediaType { content_type: P::CONTENT_TYPE, schema: P::schema_ref() }];
    let response = MetaResponse { description, status: Some(200), status_range: None, content, headers: vec![] };
    MetaResponses { responses: vec![response] }
}
