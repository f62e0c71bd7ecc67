//! The job as a value: its states, its record, and what is derived from it.

use std::time::Duration;

use proptest::prelude::*;
use pv_lib::{
    fs::MemFs,
    job::{
        DamagedRecord, FailReason, JobEvent, JobId, JobRecord, JobState, NewJob, Outcome, Phase, Started, Thresholds,
        is_quiet, is_stalled,
    },
    layout::{InboxMode, Layout},
    store::{Run, Store, StoreLimits},
    target::Target,
    time::Timestamp,
};
use serde_json::json;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_767_225_600 + seconds)
}

fn created() -> JobRecord {
    JobRecord::new(NewJob {
        job_id: JobId::minted("0190f5c2a7b97c31b1c5b1d1a1e1f101").unwrap(),
        target: Target::new(Some("o"), "r", "main").unwrap(),
        inbox_file: "/pv/inbox/o/r/main/x.prompt.md".into(),
        inbox_rel: "o/r/main/x.prompt.md".into(),
        now: at(0),
        host: "host".into(),
        retry_of: None,
    })
}

fn running() -> JobRecord {
    let mut record = created();
    let started = Started {
        now: at(10),
        boot_id: None,
        agent: "codex".into(),
        model: None,
        title: Some("Do it".into()),
        log_path: "/pv/runs/x/job.log".into(),
        phase: Phase::Agent,
    };
    record.start(started).unwrap();
    record
}

fn any_event() -> impl Strategy<Value = JobEvent> {
    prop::sample::select(JobEvent::ALL.to_vec())
}

proptest! {
    #[test]
    fn g07_terminal_is_final_whatever_the_order_of_events(events in prop::collection::vec(any_event(), 0..40)) {
        let mut state = JobState::Created;
        let mut ended = None;
        for event in events {
            match state.transition(event) {
                Ok(next) => {
                    prop_assert!(ended.is_none(), "{event} moved a job that was {state}");
                    prop_assert!(next != state && next != JobState::Created);
                    state = next;
                }
                Err(refused) => prop_assert_eq!((refused.state, refused.event), (state, event)),
            }
            ended = ended.or(state.is_terminal().then_some(state));
        }
        prop_assert_eq!(ended.unwrap_or(state), state);
    }

    #[test]
    fn a_record_comes_back_as_it_was_written(seconds in 0_i64..4_000_000_000, code in any::<i32>(), text in ".{0,40}") {
        let mut record = running();
        record.record_heartbeat(Timestamp::from_unix_seconds(seconds));
        record.exit_code = Some(code);
        record.title = Some(text.clone());
        let outcome = Outcome::Failed { reason: FailReason::Exit, message: text };
        record.finish(outcome, Timestamp::from_unix_seconds(seconds)).unwrap();
        prop_assert_eq!(JobRecord::from_bytes(&record.to_bytes()).unwrap(), record);
    }
}

#[test]
fn a_record_that_is_over_refuses_every_end_and_stays_as_it_is() {
    let mut record = running();
    record.finish(Outcome::Succeeded { message: None }, at(20)).unwrap();
    let before = record.clone();
    for outcome in [
        Outcome::Succeeded { message: None },
        Outcome::Failed { reason: FailReason::Interrupted, message: "late".into() },
        Outcome::Aborted { message: None },
    ] {
        assert!(record.finish(outcome, at(30)).is_err());
        assert_eq!(record, before);
    }
}

#[test]
fn keys_that_are_not_understood_are_kept() {
    let written = json!({
        "job_id": "20251205-1216-32", "state": "running", "schema_version": 1,
        "shiny": {"new": [1, 2]}, "created_at": 5, "exit_code": null, "heartbeat_at": "2026-01-01T00:00:00.5",
    });
    let mut record = JobRecord::from_bytes(written.to_string().as_bytes()).unwrap();
    record.finish(Outcome::Aborted { message: None }, at(0)).unwrap();
    let kept = record.to_json();
    assert_eq!(kept["shiny"], written["shiny"]);
    assert_eq!(kept["created_at"], 5, "a known key of another shape");
    assert_eq!(kept["exit_code"], json!(null));
    assert_eq!(kept["heartbeat_at"], "2026-01-01T00:00:00Z");
    assert_eq!(kept["state"], "aborted");
}

/// The earlier service read states in any case, and sorted by the first of these times that there was.
#[test]
fn a_foreign_record_is_read_by_what_it_says() {
    let read = |keys: &str| JobRecord::from_bytes(format!(r#"{{"job_id":"20251205-1216-32",{keys}}}"#).as_bytes());
    for state in JobState::ALL {
        let capital = state.as_str()[..1].to_uppercase() + &state.as_str()[1..];
        for spelled in [state.as_str().to_owned(), state.as_str().to_uppercase(), capital] {
            let record = read(&format!(r#""state":"{spelled}","spoken":"{spelled}""#)).unwrap();
            assert_eq!((record.state(), &record.to_json()["state"]), (state, &json!(state.as_str())), "{spelled}");
            assert_eq!(record.to_json()["spoken"], spelled.as_str(), "what is not ours stays as it is");
        }
    }
    for wrong in [r#""state":"resting""#, r#""state":"""#, r#""state":["RUNNING"]"#, r#""state":null"#] {
        assert_eq!(read(wrong), Err(DamagedRecord::Unusable("state")), "{wrong}");
    }
    let [created, started, updated, beat] = ["created_at", "started_at", "updated_at", "heartbeat_at"];
    for (keys, since) in [
        (&[created, started, updated, beat][..], Some(at(0))),
        (&[started, updated, beat], Some(at(1))),
        (&[updated, beat], Some(at(2))),
        (&[beat], Some(at(3))),
        (&[], None),
    ] {
        let all = [created, started, updated, beat].into_iter().zip(0..);
        let times = all.filter(|(key, _)| keys.contains(key)).map(|(key, n)| format!(r#","{key}":"{}""#, at(n)));
        let record = read(&format!(r#""state":"Running"{}"#, times.collect::<String>())).unwrap();
        assert_eq!(record.known_since(), since, "{keys:?}");
    }
    assert_eq!(
        read(r#""state":"failed","created_at":7,"updated_at":"2026-01-01T00:00:02""#).unwrap().known_since(),
        Some(at(2))
    );
}

#[test]
fn a_reason_that_is_not_known_is_kept_and_every_known_one_is_documented() {
    let written = json!({"job_id": "a", "state": "failed", "schema_version": 1, "reason": "shiny", "message": "new"});
    let record = JobRecord::from_bytes(written.to_string().as_bytes()).unwrap();
    assert_eq!((record.state(), record.reason, record.message.as_deref()), (JobState::Failed, None, Some("new")));
    assert_eq!(record.to_json()["reason"], "shiny", "what a newer program wrote");

    let guide = include_str!("../../../docs/operating.md");
    for reason in FailReason::ALL {
        let written = json!({"job_id": "a", "state": "failed", "reason": reason.as_str()});
        let record = JobRecord::from_bytes(written.to_string().as_bytes()).unwrap();
        assert_eq!(record.reason, Some(reason));
        assert!(guide.contains(&format!("\n| `{reason}` |")), "docs/operating.md has no row for `{reason}`");
    }
}

#[test]
fn a_newer_schema_is_readable_and_not_writable() {
    let newer = br#"{"job_id":"a","state":"running","schema_version":99}"#;
    let record = JobRecord::from_bytes(newer).unwrap();
    assert!(!record.is_writable());
    assert_eq!(record.to_json()["schema_version"], 99);
}

#[test]
fn what_is_no_record_says_why() {
    let check = |text: &str, expected: &str| {
        let damage = JobRecord::from_bytes(text.as_bytes()).unwrap_err();
        assert!(damage.to_string().contains(expected), "{text}: {damage}");
    };
    check("", "not JSON");
    check("[]", "not an object");
    check(r#"{"state":"running"}"#, "no usable `job_id`");
    check(r#"{"job_id":"a","state":"resting"}"#, "no usable `state`");
    check(r#"{"job_id":"../x","state":"running"}"#, "no usable `job_id`");
}

/// A reader of a damaged file finds the old record, another whole one, or the reason why there is none: never a panic,
/// never a broken list.
#[test]
fn g06_a_record_cut_or_flipped_at_every_byte_never_breaks_the_list() {
    let whole = running().to_bytes();
    let id = running().job_id;
    let fs = std::sync::Arc::new(MemFs::new());
    let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
    let path = layout.record_path(&id);
    let store = Store::new(fs.clone(), layout, StoreLimits::default(), "host");
    let mut damaged = 0;
    let mut read = |bytes: &[u8]| {
        fs.write(&path, bytes);
        let runs = store.runs().unwrap();
        assert_eq!(runs.len(), 1);
        match &runs[0] {
            Run::Job(record) => assert_eq!(record.job_id, id),
            Run::Damaged { id: shown, damage } => {
                damaged += 1;
                assert_eq!(*shown, id);
                assert!(!matches!(damage, DamagedRecord::Unreadable(_)), "{damage}");
            }
        }
    };
    for cut in 0..whole.len() {
        read(&whole[..cut]);
    }
    for offset in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[offset] ^= 0x20;
        read(&flipped);
    }
    assert!(damaged >= whole.len() - 2, "a cut record counted as a whole one: {damaged} of {}", whole.len());
}

#[test]
fn g21_a_silent_supervisor_is_stalled_and_a_silent_agent_is_quiet() {
    let thresholds = Thresholds { stall: Duration::from_secs(60), quiet: Duration::from_secs(300) };
    let mut record = running();
    let check = |record: &JobRecord, now: i64, stalled: bool, quiet: bool| {
        assert_eq!(is_stalled(record, at(now), thresholds), stalled, "stalled at {now}");
        assert_eq!(is_quiet(record, at(now), thresholds), quiet, "quiet at {now}");
    };
    check(&record, 70, false, false);
    check(&record, 71, true, false);
    check(&record, -100, false, false);
    record.record_heartbeat(at(1000));
    check(&record, 1060, false, true);
    record.last_output_at = Some(at(900));
    check(&record, 1060, false, false);
    check(&record, 1201, true, true);
    record.finish(Outcome::Succeeded { message: None }, at(1300)).unwrap();
    check(&record, 9999, false, false);
    check(&created(), 9999, false, false);
}
