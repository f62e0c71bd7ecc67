//! What must hold for any bytes: one function for each parser of `pv-lib`.
//!
//! The fuzz targets call them with bytes that libFuzzer grows, and `pv-lib/tests/it/fuzz_bodies.rs` with bytes that
//! proptest makes.

use pv_lib::{
    job::{JobId, JobRecord},
    prompt::{self, NameKind, ServiceFields, Source},
    time::Timestamp,
};
use serde_json::{Map, Value};

fn id() -> JobId {
    JobId::from_uuid(Default::default())
}

fn parts(text: &str) -> Option<prompt::Parts<'_>> {
    prompt::split(text).ok()
}

/// A merge keeps the body, the settings and every byte of the user's, and merging again changes nothing.
pub fn front_matter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (id, created_at) = (id(), Timestamp::EPOCH);
    let fields =
        ServiceFields { job_id: &id, repo: "o/r", branch: "1:20", created_at, source: Source::Api, retry_of: None };
    let Ok(merged) = prompt::merge(&text, &fields) else { return };
    assert_eq!(prompt::merge(&merged, &fields).as_deref(), Ok(&*merged), "a second merge");

    let (Some(before), Some(after)) = (parts(&text), parts(&merged)) else { panic!("{merged:?} cannot be split") };
    assert_eq!((before.bom, before.body), (after.bom, after.body), "what is no front matter");
    assert_eq!(prompt::settings(&before), prompt::settings(&after), "settings");
    if !before.yaml.contains("pv") && !before.yaml.contains('\\') {
        let is_kept = is_one_insertion(before.yaml, after.yaml) || is_insertion_for_null(before.yaml, after.yaml);
        assert!(is_kept, "{:?} became {:?}", before.yaml, after.yaml);
    }
    if let Some(values) = user_values(before.yaml) {
        assert_eq!(user_values(after.yaml), Some(values), "the user's values");
    }
}

fn is_one_insertion(before: &str, after: &str) -> bool {
    let same = |(a, b): &(u8, u8)| a == b;
    let head = before.bytes().zip(after.bytes()).take_while(same).count();
    let tail = before.bytes().rev().zip(after.bytes().rev()).take_while(same).count();
    head + tail >= before.len()
}

/// Tells whether text was inserted where nothing but a null had been written out, which gave way.
fn is_insertion_for_null(before: &str, after: &str) -> bool {
    let nulls = ["~", "null", "Null", "NULL"].iter().flat_map(|null| before.match_indices(null));
    user_values(before).is_some_and(|values| values.is_empty())
        && nulls
            .into_iter()
            .any(|(at, null)| is_one_insertion(&[&before[..at], &before[at + null.len()..]].concat(), after))
}

/// Returns what another reader makes of the user's keys; nothing where it refuses the text.
fn user_values(yaml: &str) -> Option<Map<String, Value>> {
    let read: Option<Map<String, Value>> = serde_saphyr::from_str(yaml).ok()?;
    let mut values = read.unwrap_or_default();
    let pv = values.remove("pv");
    if let Some(Value::Object(mut pv)) = pv {
        for ours in ["job_id", "repo", "branch", "created_at", "source", "retry_of"] {
            pv.remove(ours);
        }
        if !pv.is_empty() {
            values.insert("pv".into(), pv.into());
        }
    }
    Some(values)
}

/// A name that is taken becomes a prompt that waits under its id; what is made of any name fits the disk.
pub fn prompt_name(bytes: &[u8]) {
    let name = String::from_utf8_lossy(bytes);
    let id = id();
    if let Ok(stem) = prompt::stem_of(&name) {
        let waiting = prompt::waiting_name(stem, &id);
        assert_eq!(prompt::classify(&waiting), NameKind::Waiting { stem, id: Some(id.clone()) });
        let running = prompt::running_name(stem, &id);
        assert_eq!(prompt::classify(&running), NameKind::Running { stem, id: Some(id.clone()) });
    }
    if let NameKind::Waiting { stem, .. } | NameKind::Running { stem, .. } = prompt::classify(&name) {
        let names = [
            prompt::waiting_name(stem, &id),
            prompt::running_name(stem, &id),
            prompt::finished_name(stem, prompt::FinishedSuffix::Aborted, None),
            prompt::finished_name(stem, prompt::FinishedSuffix::Aborted, Some(&id)),
        ];
        for made in &names {
            assert!(made.len() <= prompt::MAX_NAME_BYTES && !made.starts_with('.'), "{made:?}");
        }
        assert!(matches!(prompt::classify(&names[0]), NameKind::Waiting { id: Some(found), .. } if found == id));
        assert!(matches!(prompt::classify(&names[1]), NameKind::Running { id: Some(found), .. } if found == id));
    }
}

/// A record that is written again is the same record, and has every key that it had.
pub fn job_record(bytes: &[u8]) {
    let Ok(record) = JobRecord::from_bytes(bytes) else { return };
    let again = JobRecord::from_bytes(&record.to_bytes()).expect("what was written can be read");
    let keys = |record: &JobRecord| record.to_json().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&again), keys(&record));
    assert_eq!(again.to_bytes(), record.to_bytes());

    let read: Map<String, Value> = serde_json::from_slice(bytes).expect("a record is an object");
    let kept = record.to_json();
    for (key, value) in read {
        assert!(kept.contains_key(&key), "{key:?} ({value}) is lost");
    }
}

/// An offset that is read is the number that the digits spell, and what is no number is refused.
pub fn last_event_id(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    match pv_lib::store::parse_log_offset(&text) {
        Some(offset) => {
            let spelled = text.trim_start_matches('0');
            assert_eq!(offset.to_string(), if spelled.is_empty() { "0" } else { spelled }, "{text:?}");
        }
        None => assert!(!digits || text.parse::<u64>().is_err(), "{text:?}"),
    }
}
