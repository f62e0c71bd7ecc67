//! The fields of a job in JSON, read without keeping anything else: values of other kinds and other keys are passed over,
//! however large they are.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The fields that are known. Of a key that is there twice, the last one counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) repo: Given,
    pub(crate) branch: Given,
    pub(crate) markdown_text: Given,
    pub(crate) filename: Given,
}

/// What was given for a field that should be text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Given {
    /// It is not there.
    #[default]
    Nothing,
    /// Null.
    Null,
    /// Text.
    Text(String),
    /// A value of another kind.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    Repo,
    Branch,
    MarkdownText,
    Filename,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Fields {
    /// Takes an object and nothing else.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key()? {
                    let field = match key {
                        Key::Repo => &mut fields.repo,
                        Key::Branch => &mut fields.branch,
                        Key::MarkdownText => &mut fields.markdown_text,
                        Key::Filename => &mut fields.filename,
                        Key::Unknown => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *field = map.next_value()?;
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl<'de> Deserialize<'de> for Given {
    /// Takes any value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given::Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Given, E> {
                Ok(Given::Text(text))
            }

            fn visit_unit<E: Error>(self) -> Result<Given, E> {
                Ok(Given::Null)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Given, E> {
                Ok(Given::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Given, E> {
                Ok(Given::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Given, E> {
                Ok(Given::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Given, E> {
                Ok(Given::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Given, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Given::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Given::Other)
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(repo: &str, expected: Given) {
        let read: Fields = serde_json::from_str(&format!(r#"{{"x":{repo},"repo":{repo},"y":{repo}}}"#)).unwrap();
        assert_eq!(read, Fields { repo: expected, ..Fields::default() }, "{repo}");
    }

    #[test]
    fn keeps_texts_and_of_everything_else_its_kind() {
        check(r#""a\n\u00e9""#, Given::Text("a\né".into()));
        check(r#""""#, Given::Text(String::new()));
        check("null", Given::Null);
        for other in ["true", "1", "-1", "1.5", "[1,[2]]", r#"{"a":{"b":null}}"#, "18446744073709551616"] {
            check(other, Given::Other);
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        check(&deep, Given::Other);
        let twice: Fields = serde_json::from_str(r#"{"repo":1,"r\u0065po":"a"}"#).unwrap();
        assert_eq!(twice.repo, Given::Text("a".into()), "the last one, however its key is written");
    }

    #[test]
    fn takes_objects_only() {
        for other in ["[]", "null", "1", r#""a""#, r#"[{"repo":"a"}]"#] {
            assert!(serde_json::from_str::<Fields>(other).unwrap_err().is_data(), "{other}");
        }
        for broken in ["", "{", "{]", r#"{"repo":"a"#, r#"{"x":[1,}"#, r#"{"repo":"a"}}"#] {
            assert!(!serde_json::from_str::<Fields>(broken).unwrap_err().is_data(), "{broken}");
        }
    }
}
