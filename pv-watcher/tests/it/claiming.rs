//! Who claims a prompt, and which watcher holds the installation: of several one.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use crate::{
    machine::{disk, id, now, store},
    rounds::{INBOX, fixture},
};

#[test]
fn g09_of_32_claimers_exactly_one_wins_each_prompt() {
    const CLAIMERS: usize = 32;
    const PROMPTS: u64 = 10_000;
    let fs = Arc::new(disk());
    for n in 1..=PROMPTS {
        fs.write(format!("{INBOX}/p-{}.prompt.md", id(n)), "x");
    }
    fs.settle();
    let prompts = Arc::new(store(&fs).scan_inbox(now()).prompts);
    assert_eq!(prompts.len() as u64, PROMPTS);
    let together = Arc::new(Barrier::new(CLAIMERS));
    let claimers: Vec<_> = (0..CLAIMERS)
        .map(|_| {
            let (store, prompts, together) = (store(&fs), Arc::clone(&prompts), Arc::clone(&together));
            thread::spawn(move || {
                together.wait();
                let won = |prompt: &&pv_lib::store::InboxPrompt| {
                    let id = prompt.id.as_ref().expect("it carries an id");
                    store.claim(prompt, id).expect("claims")
                };
                prompts.iter().filter(won).count()
            })
        })
        .collect();
    let won: usize = claimers.into_iter().map(|claimer| claimer.join().expect("ends")).sum();
    assert_eq!(won as u64, PROMPTS, "each once, none twice");
}

#[test]
fn g09_a_second_watcher_refuses_and_says_who_holds_the_root() {
    let fixture = fixture();
    let guard = fixture.store.acquire_watcher_lock().expect("the first one");
    let facts = pv_lib::store::WatcherStatus {
        pid: 4711,
        host: "host".into(),
        version: "1".into(),
        started_at: now(),
        beat_at: now(),
        page: None,
        max_concurrent: 2,
        running: 0,
        waiting: 0,
        waiting_for_room: 0,
        blocked_for_room: 0,
        blocked_by_launcher: 0,
        unusable: pv_lib::unusable::UnusableList::default(),
        mirrors: None,
        commit: None,
        runs_as: None,
    };
    fixture.store.write_watcher_status(&guard, &facts).expect("writes");
    let refusal = fixture.store.acquire_watcher_lock().expect_err("the second one").to_string();
    assert!(refusal.contains("pid 4711 on host"), "{refusal}");
    drop(guard);
    assert!(fixture.store.acquire_watcher_lock().is_ok(), "the lock goes with its holder");
}
