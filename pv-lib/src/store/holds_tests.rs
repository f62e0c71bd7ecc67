//! Tests of the holds on agents.

use std::sync::Arc;

use camino::Utf8Path;

use super::{AgentHold, Store, StoreLimits, holds::HOLD_LIMIT_BYTES};
use crate::{
    Error,
    fs::{Fs, MemFs, sweep::sweep},
    job::HoldKind,
    layout::{InboxMode, Layout},
    time::Timestamp,
};

fn on(fs: &Arc<MemFs>) -> Store {
    let layout = Layout::under(Utf8Path::new("/pv"), InboxMode::MultiOwner);
    Store::new(Arc::clone(fs) as Arc<dyn Fs>, layout, StoreLimits::default(), "host")
}

fn store() -> (Arc<MemFs>, Store) {
    let fs = Arc::new(MemFs::new());
    fs.put_dir("/pv/runs");
    (Arc::clone(&fs), on(&fs))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn hold(agent: &str, kind: HoldKind, until: i64) -> AgentHold {
    let job_id = "0190f5c2a7b97c31b1c5b1d1a1e1f101".parse().unwrap();
    let (agent, message) = (agent.into(), "enough".into());
    AgentHold { agent, kind, until: at(until), message, job_id, unknown_ends: 1, since: at(1) }
}

fn quota(agent: &str, until: i64) -> AgentHold {
    hold(agent, HoldKind::Quota, until)
}

fn names(holds: &[AgentHold]) -> Vec<String> {
    holds.iter().map(|hold| format!("{} {} {}", hold.agent, hold.kind, hold.until.unix_seconds())).collect()
}

fn active(store: &Store, now: i64) -> Vec<String> {
    names(&store.holds(at(now)).unwrap().active)
}

fn probing(store: &Store, now: i64) -> Vec<String> {
    names(&store.holds(at(now)).unwrap().probing)
}

#[test]
fn c02_a_hold_holds_until_its_end_is_probed_until_it_is_lifted_and_the_longer_one_counts() {
    let (_, store) = store();
    assert_eq!(active(&store, 0), [""; 0]);
    for (agent, kind, until) in [
        ("codex", HoldKind::Quota, 100),
        ("claude", HoldKind::Quota, 50),
        ("codex", HoldKind::Quota, 60),
        ("codex", HoldKind::Start, 20),
        ("codex", HoldKind::Auth, 70),
    ] {
        assert!(store.put_hold(&hold(agent, kind, until)).unwrap());
    }
    let [claude, quota, auth, start] = ["claude quota 50", "codex quota 100", "codex auth 70", "codex start 20"];
    for (now, expected_active, expected_probing) in [
        (19, vec![claude, quota, auth, start], vec![]),
        (20, vec![claude, quota, auth], vec![start]),
        (50, vec![quota, auth], vec![claude, start]),
        (100, vec![], vec![claude, quota, auth, start]),
    ] {
        assert_eq!(
            (active(&store, now), probing(&store, now)),
            (strings(&expected_active), strings(&expected_probing))
        );
    }
    assert_eq!(names(&store.holds(at(60)).unwrap().all()), [claude, quota, auth, start]);
    assert_eq!(store.hold("claude", HoldKind::Quota).unwrap(), Some(hold("claude", HoldKind::Quota, 50)));
    assert_eq!(store.hold("claude", HoldKind::Auth).unwrap(), None);
    assert_eq!(store.hold("other", HoldKind::Quota).unwrap(), None);
    assert!(store.lift_hold("codex", HoldKind::Auth).unwrap(), "there was one");
    assert!(!store.lift_hold("codex", HoldKind::Auth).unwrap(), "and there is none now");
    assert!(!store.lift_hold("other", HoldKind::Auth).unwrap());
    assert_eq!(active(&store, 19), [claude, quota, start], "the other kinds and agents stay held");
    // Once it is lifted a shorter one counts again.
    assert!(store.put_hold(&hold("codex", HoldKind::Auth, 30)).unwrap());
    assert_eq!(active(&store, 29), [claude, quota, "codex auth 30"]);
}

fn strings(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn c02_only_a_job_that_was_started_after_a_hold_was_put_proves_it_over() {
    let (_, store) = store();
    let auth = AgentHold { since: at(10), ..hold("codex", HoldKind::Auth, 20) };
    for (started_at, lifted) in [(9, false), (10, false), (11, true), (21, true)] {
        store.put_hold(&auth).unwrap();
        assert_eq!(
            store.lift_hold_proved_over("codex", HoldKind::Auth, at(started_at)).unwrap(),
            lifted,
            "{started_at}"
        );
        assert_eq!(store.hold("codex", HoldKind::Auth).unwrap().is_none(), lifted, "{started_at}");
    }
    assert!(!store.lift_hold_proved_over("codex", HoldKind::Auth, at(99)).unwrap(), "there is none");
}

#[test]
fn c02_a_hold_of_the_first_version_is_one_of_the_kind_quota() {
    let (fs, store) = store();
    let old = r#"{"agent": "codex", "until": "1970-01-01T00:01:40Z", "message": "enough", "job_id": "a"}"#;
    fs.put("/pv/runs/.holds/codex.json", old);
    assert_eq!(active(&store, 99), ["codex quota 100"]);
    assert_eq!(probing(&store, 100), ["codex quota 100"]);
    let read = store.hold("codex", HoldKind::Quota).unwrap().unwrap();
    assert_eq!((read.since, read.unknown_ends), (at(100), 0), "only what starts after its end can prove it over");
    // Of two files the longer one counts, and both go.
    store.put_hold(&quota("codex", 60)).unwrap();
    assert_eq!(active(&store, 0), ["codex quota 100"]);
    store.put_hold(&quota("codex", 160)).unwrap();
    assert_eq!(active(&store, 0), ["codex quota 160"]);
    assert_eq!(store.holds(at(0)).unwrap().unusable, vec![]);
    assert!(store.lift_hold("codex", HoldKind::Quota).unwrap());
    assert_eq!(fs.list(Utf8Path::new("/pv/runs/.holds")).unwrap(), vec![]);
    // A kind that only a newer version knows, and a file whose name is another's.
    fs.put("/pv/runs/.holds/codex.json", old.replacen('{', r#"{"kind": "weather", "#, 1));
    fs.put("/pv/runs/.holds/claude.json", old);
    assert_eq!(active(&store, 0), [""; 0]);
    assert_eq!(store.holds(at(0)).unwrap().unusable.len(), 2);
}

#[test]
fn any_name_of_an_agent_is_safe() {
    let (fs, store) = store();
    let names = ["../../inbox/x", ".hidden", "a/b", "a%2fb", "a.auth", "a", "é", "", "c:\\x\0y"];
    for name in names {
        for kind in [HoldKind::Quota, HoldKind::Auth] {
            assert!(store.put_hold(&hold(name, kind, 9)).unwrap());
            assert_eq!(store.hold(name, kind).unwrap(), Some(hold(name, kind, 9)));
        }
    }
    assert_eq!(active(&store, 0).len(), 2 * names.len());
    let inside = fs.list(Utf8Path::new("/pv/runs/.holds")).unwrap();
    assert_eq!(inside.len(), 2 * names.len());
    for name in names {
        assert!(store.lift_hold(name, HoldKind::Auth).unwrap());
    }
    assert_eq!(active(&store, 0).len(), names.len());
}

#[test]
fn what_cannot_be_understood_has_no_effect_and_is_an_entry() {
    let (fs, store) = store();
    store.put_hold(&quota("codex", 9)).unwrap();
    fs.put("/pv/runs/.holds/claude.quota.json", "{");
    fs.put("/pv/runs/.holds/other.quota.json", serde_json::to_vec(&quota("codex", 99)).unwrap());
    fs.put("/pv/runs/.holds/codex.auth.json", serde_json::to_vec(&quota("codex", 99)).unwrap());
    fs.put("/pv/runs/.holds/long.quota.json", vec![b' '; HOLD_LIMIT_BYTES + 1]);
    fs.put_dir("/pv/runs/.holds/folder.quota.json");
    fs.put("/pv/runs/.holds/.codex.quota.json.tmp", "{");
    assert_eq!(active(&store, 0), ["codex quota 9"]);
    assert_eq!(store.holds(Timestamp::EPOCH).unwrap().unusable.len(), 5);
    assert_eq!(store.hold("claude", HoldKind::Quota).unwrap(), None);
    assert_eq!(store.hold("long", HoldKind::Quota).unwrap(), None);
    assert!(store.put_hold(&quota("claude", 9)).unwrap(), "and it can be written over");
    assert!(store.lift_hold("long", HoldKind::Quota).unwrap(), "or removed");
    assert!(!store.lift_hold_proved_over("codex", HoldKind::Auth, at(99)).unwrap(), "but not by a job");
    assert_eq!(active(&store, 0), ["claude quota 9", "codex quota 9"]);
}

#[test]
fn g04_a_hold_survives_a_power_cut_once_it_is_acknowledged() {
    let first = store().0;
    let report = sweep(
        &first,
        |fs| on(fs).put_hold(&quota("codex", 9)),
        |image| {
            let held = active(&on(&image.fs), 0);
            assert!(held == ["codex quota 9"] || (held.is_empty() && !image.acknowledged), "{image}: {held:?}");
        },
    );
    assert!(report.images > 3, "{report:?}");
    on(&first).put_hold(&quota("codex", 9)).unwrap();
    sweep(
        &first,
        |fs| on(fs).put_hold(&quota("codex", 99)),
        |image| {
            let held = active(&on(&image.fs), 0);
            let is_old = held == ["codex quota 9"] && !image.acknowledged;
            assert!(held == ["codex quota 99"] || is_old, "{image}: {held:?}");
        },
    );
}

#[test]
fn c02_a_hold_that_was_lifted_does_not_come_back_after_a_power_cut() {
    let first = store().0;
    on(&first).put_hold(&quota("codex", 9)).unwrap();
    on(&first).put_hold(&hold("codex", HoldKind::Auth, 9)).unwrap();
    let report = sweep(
        &first,
        |fs| on(fs).lift_hold("codex", HoldKind::Quota),
        |image| {
            let held = active(&on(&image.fs), 0);
            let is_old = held == ["codex quota 9", "codex auth 9"] && !image.acknowledged;
            assert!(held == ["codex auth 9"] || is_old, "{image}: {held:?}");
        },
    );
    assert!(report.images > 1, "{report:?}");
}

#[test]
fn of_two_writers_one_writes_at_a_time() {
    let (fs, store) = store();
    store.put_hold(&quota("codex", 9)).unwrap();
    let other = fs.try_lock(&store.layout().holds_lock_path()).unwrap();
    assert!(!store.put_hold(&quota("codex", 99)).unwrap());
    let refused = store.lift_hold("codex", HoldKind::Quota).unwrap_err();
    assert!(matches!(refused, Error::HoldsLocked) && refused.to_string().contains("try again"), "{refused}");
    assert!(!store.lift_hold("codex", HoldKind::Auth).unwrap(), "what is not there needs no lock");
    drop(other);
    assert!(store.put_hold(&quota("codex", 99)).unwrap());
    assert_eq!(active(&store, 10), ["codex quota 99"]);
    let long = AgentHold { message: "x".repeat(HOLD_LIMIT_BYTES), ..quota("codex", 200) };
    store.put_hold(&long).unwrap();
    assert_eq!(active(&store, 100).len(), 1, "a long message is cut, so that it can be read again");
}
