//! Records as released versions wrote them: read, and written again byte for byte. They are never changed.

use pv_lib::job::{FailReason, JobRecord, JobState, SCHEMA_VERSION};

/// What version 0.1.0 wrote, with what it says.
const V0_1_0: [(&str, JobState, Option<FailReason>); 7] = [
    (include_str!("recorded/0.1.0/created.json"), JobState::Created, None),
    (include_str!("recorded/0.1.0/running.json"), JobState::Running, None),
    (include_str!("recorded/0.1.0/running_dropped.json"), JobState::Running, None),
    (include_str!("recorded/0.1.0/succeeded.json"), JobState::Succeeded, None),
    (include_str!("recorded/0.1.0/failed_exit.json"), JobState::Failed, Some(FailReason::Exit)),
    (include_str!("recorded/0.1.0/failed_interrupted.json"), JobState::Failed, Some(FailReason::Interrupted)),
    (include_str!("recorded/0.1.0/aborted.json"), JobState::Aborted, None),
];

#[test]
fn records_of_version_0_1_0_are_read_and_come_back_as_they_were() {
    for (text, state, reason) in V0_1_0 {
        let record = JobRecord::from_bytes(text.as_bytes()).unwrap();
        assert_eq!((record.state(), record.reason), (state, reason), "{text}");
        assert_eq!(String::from_utf8(record.to_bytes()).unwrap(), text);
        assert!(record.is_writable() && record.schema_version == SCHEMA_VERSION, "{text}");
        let target = record.target().unwrap();
        assert_eq!((target.to_string(), record.known_since()), ("o/r@main".into(), record.created_at), "{text}");
        assert_eq!(record.started_at.is_some(), state != JobState::Created, "{text}");
    }
}
