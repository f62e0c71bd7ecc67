//! The bodies of error responses, only for their description.
//!
//! All of them have one schema: generators of clients give each operation one type of error.

use std::{borrow::Cow, iter};

use poem_openapi::{
    Object,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{Example, ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde_json::Value;

/// An error: what is wrong, and what to do.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct ErrorDetail {
    /// A sentence that says what to do; with status 422, a list of the values that are missing or cannot be used.
    pub(crate) detail: Detail,
}

impl Example for ErrorDetail {
    fn example() -> Self {
        Self { detail: Detail("Job not found") }
    }
}

/// What is described as a sentence or a list; the example is a sentence.
#[derive(Debug)]
pub(crate) struct Detail(&'static str);

impl Type for Detail {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "detail".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let one_of = vec![String::schema_ref(), Vec::<ValidationError>::schema_ref()];
        MetaSchemaRef::Inline(Box::new(MetaSchema { one_of, ..MetaSchema::ANY }))
    }

    fn register(registry: &mut Registry) {
        ValidationError::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(iter::once(self))
    }
}

impl ParseFromJSON for Detail {
    /// Always fails: errors are sent and never received.
    fn parse_from_json(_: Option<Value>) -> ParseResult<Self> {
        Err(ParseError::custom("an error is only described"))
    }
}

impl ToJSON for Detail {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.into())
    }
}

/// A value that is missing or cannot be used.
#[derive(Debug, Object)]
pub(crate) struct ValidationError {
    /// Where it is: `body`, `query` or `path`, then its name.
    pub(crate) loc: Vec<String>,
    /// What is wrong with it, for people.
    pub(crate) msg: String,
    /// What is wrong with it, for programs.
    #[oai(rename = "type")]
    pub(crate) kind: String,
}
