//! Keeping the mirrors small, beside all else: measured now and then, and maintained where that is due.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use camino::Utf8PathBuf;
use parking_lot::Mutex;
use pv_lib::{
    host,
    store::{MirrorSize, MirrorsStatus, RepoClone, Store},
};
use tokio::{task::spawn_blocking, time};
use tracing::{info, warn};

use crate::git::{MirrorLimits, MirrorState, maintain};

/// How often mirrors are looked at.
const EVERY: Duration = Duration::from_secs(600);

/// How mirrors are kept small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorSettings {
    /// From what on maintenance is due.
    pub limits: MirrorLimits,
    /// How long one call of git may take.
    pub git_timeout: Duration,
}

/// What the mirrors were when they were measured last.
pub(crate) type SharedMirrors = Arc<Mutex<Option<MirrorsStatus>>>;

/// Measures and maintains the mirrors again and again, for as long as it is polled.
pub(crate) async fn keep_mirrors(store: Store, settings: MirrorSettings, measured: SharedMirrors) {
    let mut problems = BTreeMap::new();
    loop {
        let status = maintain_mirrors(&store, &settings, &mut problems).await;
        *measured.lock() = Some(status);
        time::sleep(EVERY).await;
    }
}

/// Measures the mirrors, and does for each what is due, one after the other. Call it on a runtime of several threads.
///
/// One mirror with which something fails is named in the result, and keeps no other from its maintenance. `problems` is
/// what was logged already, by path: what stays so is logged once.
pub async fn maintain_mirrors(
    store: &Store,
    settings: &MirrorSettings,
    problems: &mut BTreeMap<Utf8PathBuf, String>,
) -> MirrorsStatus {
    let (mut sizes, listing) = (Vec::new(), store.clone());
    let mirrors = spawn_blocking(move || listing.mirrors().found).await.unwrap_or_default();
    for RepoClone { owner, repo, dir } in mirrors {
        let mut state = read(&dir).await;
        let before = state.bytes;
        let done = match has_room(store, &dir, &state) {
            Ok(()) => maintain(store.fs(), &dir, &state, &settings.limits, settings.git_timeout).await,
            Err(why) => Err(why),
        };
        let problem = done.as_ref().err().cloned();
        if done == Ok(true) {
            state = read(&dir).await;
            info!(mirror = %dir, before_bytes = before, bytes = state.bytes, "gathered what was in many files");
        }
        match &problem {
            Some(why) if problems.get(&dir) != Some(why) => {
                warn!("cannot keep {dir} small: {why}");
                problems.insert(dir.clone(), why.clone());
            }
            Some(_) => {}
            None => drop(problems.remove(&dir)),
        }
        let repo = owner.map_or_else(|| repo.clone(), |owner| format!("{owner}/{repo}"));
        let (bytes, loose_objects, packs) = (state.bytes, state.loose_objects, state.packs.len() as u64);
        sizes.push(MirrorSize { repo, bytes, loose_objects, packs, problem });
    }
    MirrorsStatus::new(sizes, host::now())
}

async fn read(dir: &Utf8PathBuf) -> MirrorState {
    let dir = dir.clone();
    spawn_blocking(move || MirrorState::read(&dir)).await.unwrap_or_default()
}

/// Looks whether the disk has room for what is to be written before what it takes the place of can go.
fn has_room(store: &Store, dir: &Utf8PathBuf, state: &MirrorState) -> Result<(), String> {
    let needed = state.bytes_to_gather();
    let space = store.fs().space(dir).map_err(|error| error.to_string())?;
    let left = space.available.saturating_sub(store.disk_floor(space.total));
    if needed <= left {
        return Ok(());
    }
    Err(format!("gathering its files needs {needed} bytes, and the disk has {left} to spare: make room"))
}
