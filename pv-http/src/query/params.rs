//! Parameters of operations: a blank one of the query counts as missing, and one that cannot be used is refused with
//! 422. Each type of value describes itself just as it is read.

use std::{borrow::Cow, iter, marker::PhantomData};

use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry},
    types::{ParseFromParameter, ParseResult, Type},
};
use pv_lib::job::{HoldKind, JobId, ListedState, ParseHoldKindError};

use crate::openapi::{Issue, Problem};

/// Reads the id of a job in a path.
///
/// # Errors
/// 404 for a text that can be no id.
pub(crate) fn parse_job_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| Problem::job_not_found())
}

/// A parameter of the query, `None` when it is missing or blank.
pub(crate) struct OptionalParam<T>(pub(crate) Option<T>);

/// A parameter in the path, as it came: described as a `T`, and read as one by [`PathText::read`].
pub(crate) struct PathText<T>(String, PhantomData<fn() -> T>);

/// A type of value that a query or a path can hold.
pub(crate) trait ParamValue: Send + Sized + 'static {
    /// Returns how the documentation describes it.
    fn schema() -> MetaSchemaRef;

    /// Reads a text that is not blank. One that cannot be used gives the type of the error, for programs, and a
    /// sentence, for people.
    fn read(text: &str) -> Result<Self, (&'static str, String)>;
}

/// A number of rows or lines, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtLeastOne(pub(crate) usize);

impl ParamValue for String {
    fn schema() -> MetaSchemaRef {
        <Self as Type>::schema_ref()
    }

    fn read(text: &str) -> Result<Self, (&'static str, String)> {
        Ok(text.to_owned())
    }
}

impl ParamValue for bool {
    fn schema() -> MetaSchemaRef {
        <Self as Type>::schema_ref()
    }

    fn read(text: &str) -> Result<Self, (&'static str, String)> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
            _ => Err(("bool_parsing", "Input should be a valid boolean: true or false".into())),
        }
    }
}

impl ParamValue for AtLeastOne {
    fn schema() -> MetaSchemaRef {
        // Without a format, which would be an upper limit that there is not.
        let mut schema = MetaSchema::new("integer");
        schema.minimum = Some(1.0);
        MetaSchemaRef::Inline(Box::new(schema))
    }

    fn read(text: &str) -> Result<Self, (&'static str, String)> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(("int_parsing", "Input should be a valid integer, such as 20".into()));
        }
        if text.starts_with('-') || digits.bytes().all(|byte| byte == b'0') {
            return Err(("greater_than_equal", "Input should be greater than or equal to 1".into()));
        }
        // A number that does not fit is larger than any list.
        Ok(Self(digits.parse().unwrap_or(usize::MAX)))
    }
}

impl ParamValue for HoldKind {
    fn schema() -> MetaSchemaRef {
        one_of(Self::ALL.map(Self::as_str))
    }

    fn read(text: &str) -> Result<Self, (&'static str, String)> {
        text.parse().map_err(|error: ParseHoldKindError| ("enum", error.to_string()))
    }
}

impl ParamValue for ListedState {
    fn schema() -> MetaSchemaRef {
        one_of(Self::ALL.map(Self::as_str))
    }

    fn read(text: &str) -> Result<Self, (&'static str, String)> {
        text.parse().map_err(|_| {
            let (names, last) = (Self::ALL.map(Self::as_str), Self::Unknown);
            ("enum", format!("Input should be {} or {last}", names[..names.len() - 1].join(", ")))
        })
    }
}

/// Describes one of these texts.
fn one_of<const N: usize>(texts: [&str; N]) -> MetaSchemaRef {
    let mut schema = MetaSchema::new("string");
    schema.enum_items = texts.iter().map(|text| (*text).into()).collect();
    MetaSchemaRef::Inline(Box::new(schema))
}

fn refuse(place: &str, name: &str, (kind, msg): (&'static str, String)) -> Problem {
    Problem::validation(vec![Issue::new(&[place, name], kind, msg)])
}

impl<'a, T: ParamValue> ApiExtractor<'a> for OptionalParam<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = Self;
    type ParamRawType = T;

    fn register(_: &mut Registry) {}

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema())
    }

    fn param_raw_type(&self) -> Option<&T> {
        self.0.as_ref()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<Self>,
    ) -> poem::Result<Self> {
        let refuse = |error| refuse("query", options.name, error);
        let pairs: Vec<(String, String)> =
            request.params().map_err(|error| refuse(("value_error", error.to_string())))?;
        let value = pairs.iter().find(|(name, _)| name == options.name).map(|(_, value)| value.trim());
        match value {
            None | Some("") => Ok(Self(None)),
            Some(text) => match T::read(text) {
                Ok(value) => Ok(Self(Some(value))),
                Err(error) => Err(refuse(error).into()),
            },
        }
    }
}

impl<T: ParamValue> PathText<T> {
    /// Reads the value; `name` is the parameter's.
    ///
    /// # Errors
    /// 422 for a text that is none.
    pub(crate) fn read(&self, name: &str) -> Result<T, Problem> {
        T::read(&self.0).map_err(|error| refuse("path", name, error))
    }
}

impl<T: ParamValue> Type for PathText<T> {
    const IS_REQUIRED: bool = true;

    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(iter::once(self))
    }
}

impl<T: ParamValue> ParseFromParameter for PathText<T> {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        Ok(Self(value.to_owned(), PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::job::JobState;

    use super::*;

    #[test]
    fn reads_the_usual_spellings() {
        for (text, expected) in [("1", true), ("TRUE", true), ("yes", true), ("On", true), ("0", false), ("off", false)]
        {
            assert_eq!(bool::read(text).ok(), Some(expected), "{text}");
        }
        for (text, expected) in [("1", 1), ("+20", 20), ("007", 7), ("99999999999999999999999", usize::MAX)] {
            assert_eq!(AtLeastOne::read(text).ok(), Some(AtLeastOne(expected)), "{text}");
        }
        assert_eq!(ListedState::read("Running").ok(), Some(ListedState::Known(JobState::Running)));
        assert_eq!(ListedState::read("UNKNOWN").ok(), Some(ListedState::Unknown));
    }

    #[test]
    fn refuses_the_rest_with_the_type_of_the_error() {
        for (text, kind) in [
            ("0", "greater_than_equal"),
            ("-3", "greater_than_equal"),
            ("x", "int_parsing"),
            ("1.5", "int_parsing"),
            ("+", "int_parsing"),
        ] {
            assert_eq!(AtLeastOne::read(text).unwrap_err().0, kind, "{text}");
        }
        assert_eq!(bool::read("maybe").unwrap_err().0, "bool_parsing");
        let expected = "Input should be created, running, succeeded, failed, aborted or unknown";
        assert_eq!(ListedState::read("done"), Err(("enum", expected.to_owned())));
    }
}
