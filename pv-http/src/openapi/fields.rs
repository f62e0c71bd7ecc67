//! The fields of a submission in JSON, read without keeping anything else: values of other types and other keys are
//! skipped, however large they are.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The known fields. Of a repeated key, the last value counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) repo: FieldValue,
    pub(crate) branch: FieldValue,
    pub(crate) markdown_text: FieldValue,
    pub(crate) filename: FieldValue,
    pub(crate) checks: SmallValue,
    pub(crate) attempts: SmallValue,
}

/// The value of a field that should be text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValue {
    /// The key is missing.
    #[default]
    Missing,
    /// Null.
    Null,
    /// Text.
    Text(String),
    /// A value of another type.
    Other,
}

/// The value of a field that should be a few names, or a number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum SmallValue {
    /// The key is missing.
    #[default]
    Missing,
    /// Null.
    Null,
    /// A list of texts.
    Texts(Vec<String>),
    /// A whole number.
    Number(u64),
    /// A value of another type, or a list that is too long.
    Other,
}

/// How many names a list may have that is kept.
const NAMES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    Repo,
    Branch,
    MarkdownText,
    Filename,
    Checks,
    Attempts,
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
                        Key::Checks => {
                            fields.checks = map.next_value()?;
                            continue;
                        }
                        Key::Attempts => {
                            fields.attempts = map.next_value()?;
                            continue;
                        }
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

impl<'de> Deserialize<'de> for SmallValue {
    /// Takes any value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = SmallValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<SmallValue, E> {
                Ok(SmallValue::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<SmallValue, E> {
                Ok(SmallValue::Null)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<SmallValue, E> {
                Ok(SmallValue::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<SmallValue, E> {
                Ok(SmallValue::Other)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<SmallValue, E> {
                Ok(SmallValue::Number(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<SmallValue, E> {
                // To JSON `2.0` is a whole number, too.
                let whole = format!("{number}").parse();
                Ok(whole.map_or(SmallValue::Other, SmallValue::Number))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SmallValue, A::Error> {
                let mut names = Some(Vec::new());
                while let Some(value) = seq.next_element::<FieldValue>()? {
                    match (value, &mut names) {
                        (FieldValue::Text(name), Some(names)) if names.len() < NAMES_MAX => names.push(name),
                        _ => names = None,
                    }
                }
                Ok(names.map_or(SmallValue::Other, SmallValue::Texts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SmallValue, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(SmallValue::Other)
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    /// Takes any value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = FieldValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<FieldValue, E> {
                Ok(FieldValue::Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<FieldValue, E> {
                Ok(FieldValue::Text(text))
            }

            fn visit_unit<E: Error>(self) -> Result<FieldValue, E> {
                Ok(FieldValue::Null)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FieldValue, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FieldValue::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldValue, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(FieldValue::Other)
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(repo: &str, expected: FieldValue) {
        let read: Fields = serde_json::from_str(&format!(r#"{{"x":{repo},"repo":{repo},"y":{repo}}}"#)).unwrap();
        assert_eq!(read, Fields { repo: expected, ..Fields::default() }, "{repo}");
    }

    #[test]
    fn keeps_texts_and_skips_other_values() {
        check(r#""a\n\u00e9""#, FieldValue::Text("a\né".into()));
        check(r#""""#, FieldValue::Text(String::new()));
        check("null", FieldValue::Null);
        for other in ["true", "1", "-1", "1.5", "[1,[2]]", r#"{"a":{"b":null}}"#, "18446744073709551616"] {
            check(other, FieldValue::Other);
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        check(&deep, FieldValue::Other);
        let twice: Fields = serde_json::from_str(r#"{"repo":1,"r\u0065po":"a"}"#).unwrap();
        assert_eq!(twice.repo, FieldValue::Text("a".into()), "the last one, however its key is written");
    }

    #[test]
    fn keeps_a_few_names_and_a_whole_number() {
        let check = |json: &str, expected: SmallValue| {
            let read: Fields = serde_json::from_str(&format!(r#"{{"checks":{json},"repo":"r"}}"#)).unwrap();
            assert_eq!(read.checks, expected, "{json}");
        };
        check(r#"["a","b"]"#, SmallValue::Texts(vec!["a".into(), "b".into()]));
        check("[]", SmallValue::Texts(Vec::new()));
        check("3", SmallValue::Number(3));
        check("null", SmallValue::Null);
        let many = format!("[{}]", vec![r#""a""#; NAMES_MAX + 1].join(","));
        for other in ["-1", "1.5", r#""a""#, r#"["a",1]"#, r#"{"a":1}"#, "true", &many] {
            check(other, SmallValue::Other);
        }
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
