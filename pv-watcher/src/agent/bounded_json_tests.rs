//! The reader of long events against `serde_json`, and what it keeps.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::event_fuzz_bodies::{bounded_json, kept};

fn of(text: &str) -> Option<Map<String, Value>> {
    bounded_json(text.as_bytes());
    kept(text.as_bytes(), 3)
}

#[test]
fn c17_what_is_json_is_read_and_what_is_none_is_not() {
    let good = [
        "{}",
        " {\t} \r\n",
        r#"{"a":1,"b":[],"c":{},"d":[1,-2.5e3,true,false,null,"x"],"e":{"f":{"g":[[]]}}}"#,
        r#"{"a":"\u00e9\ud83d\ude00\n\\\"","é":"é"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{ "a" : [ 1 , 2 ] }"#,
    ];
    for text in good {
        assert_eq!(of(text), serde_json::from_str(text).unwrap(), "{text}");
    }
    let bad = [
        "",
        "{",
        "{}}",
        "{}x",
        "[]",
        "1",
        "\"\"",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{,}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1}"#,
        r#"{"a":{]}"#,
        r#"{"a":1 2}"#,
        r#"{"a" "b"}"#,
        r#"{"a":tru}"#,
        r#"{"a":nullx}"#,
        r#"{"a":01}"#,
        r#"{"a":--1}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{a:1}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"b}",
    ];
    for text in bad {
        assert_eq!(of(text), None, "{text}");
        assert!(serde_json::from_str::<Map<String, Value>>(text).is_err(), "{text}");
    }
    assert_eq!(kept(b"{\"a\":\"\xff\"}", 2), None);
}

#[test]
fn c17_nesting_has_the_limit_of_the_other_reader() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    for depth in [1, 5, 126, 127, 128, 129, 100_000] {
        let text = nested(depth);
        let is_read = kept(text.as_bytes(), 1024).is_some();
        assert_eq!(is_read, serde_json::from_str::<Map<String, Value>>(&text).is_ok(), "{depth}");
    }
}

#[test]
fn c17_what_comes_after_a_long_value_is_kept() {
    let long = "x".repeat(3_000_000);
    let many = format!("[{}1]", "[],{\"a\":1},7,".repeat(300_000));
    let keys: String = (0..100_000).map(|n| format!("\"{n}\":{{\"b\":[]}},")).collect();
    let texts = [
        format!(r#"{{"a":"{long}","is_error":true,"u":{{"in":1}}}}"#),
        format!(r#"{{"a":"{long}","b":"{long}","c":{{"d":"{long}"}},"is_error":true,"u":{{"in":1}}}}"#),
        format!(r#"{{"a":{many},"b":{{"c":{many}}},"is_error":true,"u":{{"in":1}}}}"#),
        format!(r#"{{"a":{{{keys}"z":1}},"is_error":true,"u":{{"in":1}}}}"#),
        format!(r#"{{"{long}":{{"a":[1]}},"is_error":true,"u":{{"in":1}}}}"#),
        format!(r#"{{"a":{},"is_error":true,"u":{{"in":1}}}}"#, "9".repeat(1_000_000)),
    ];
    for text in texts {
        let kept = kept(text.as_bytes(), 64 * 1024).unwrap();
        assert_eq!((&kept["is_error"], &kept["u"]["in"]), (&json!(true), &json!(1)), "{}", &text[..60]);
        assert!(size(&Value::Object(kept)) <= 512 * 1024);
    }
}

#[test]
fn c17_a_long_text_ends_between_characters_with_a_mark() {
    for (unit, shift) in [("é", 2), ("😀", 4), (r"\ud83d\ude00", 12), (r"\u00e9", 6), (r"\\", 2), (r#"\""#, 2)] {
        for before in 0..=shift {
            let text = "y".repeat(before) + &unit.repeat(400_000 / unit.len());
            let kept = kept(format!(r#"{{"a":"{text}"}}"#).as_bytes(), 4096).unwrap();
            let whole: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            let (beginning, mark) = kept["a"].as_str().unwrap().rsplit_once("\n[pv: ").unwrap();
            assert!(whole.starts_with(beginning), "{unit} {before}");
            let cut: usize = mark.split(' ').next().unwrap().parse().unwrap();
            let kept_bytes = serde_json::to_string(beginning).unwrap().len() - 2;
            let is_ascii = unit.starts_with(r"\u");
            assert!(is_ascii || kept_bytes + cut == text.len(), "{unit} {before}: {kept_bytes} + {cut}");
            assert!((150_000..=262_144).contains(&(text.len() - cut)), "{unit} {before}: {cut}");
        }
    }
}

#[test]
fn c17_of_a_long_list_the_beginning_is_kept() {
    let text = format!(r#"{{"a":[{}1]}}"#, "[],{\"a\":1},7,".repeat(20_000));
    let kept = kept(text.as_bytes(), 4096).unwrap();
    let items = kept["a"].as_array().unwrap();
    assert!((300..20_000).contains(&items.len()), "{}", items.len());
    // The last object that has room may have none for what is in it.
    for (at, item) in items.iter().enumerate() {
        let is_right = match at % 3 {
            0 => item == &json!([]),
            1 => item.is_object(),
            _ => item == 7,
        };
        assert!(is_right, "{at}: {item}");
    }
}

/// What a value takes in memory, at least.
fn size(value: &Value) -> usize {
    32 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => 600 + map.iter().map(|(key, value)| 24 + key.len() + size(value)).sum::<usize>(),
        _ => 0,
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[\\\\\"\u{1f600}é\u{0}-\u{20}]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn c17_any_object_in_any_chunks_is_read_as_the_other_reader_does(
        members in prop::collection::btree_map(".{0,6}", any_json(), 0..5),
        is_pretty in any::<bool>(),
        chunk in 1_usize..40,
    ) {
        let object = Value::Object(members.into_iter().collect());
        let text = if is_pretty { format!("{object:#}") } else { object.to_string() };
        prop_assert_eq!(kept(text.as_bytes(), chunk), object.as_object().cloned());
        bounded_json(text.as_bytes());
    }

    #[test]
    fn c17_no_bytes_break_the_reader(
        mut text in any_json().prop_map(|value| format!("{{\"a\":{value},\"b\":[1,\"x\"]}}").into_bytes()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        noise in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0019.eE+-tfn x"[..]), 0..60),
    ) {
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        bounded_json(&text);
        bounded_json(&noise);
        bounded_json(&[b"{\"a\":", &noise[..], b"}"].concat());
    }
}
