//! Maintenance of a mirror: its references in one file, its objects in few packs.
//!
//! Nothing of it holds a job up: it takes no lock that a fetch waits for, and git itself is safe against what runs beside
//! it. Nothing is lost by it: whatever object is there stays, reached by a reference or not, since checkouts and jobs borrow
//! objects that no reference of the mirror may have any more; and what takes the place of something is verified and durable
//! before that goes. So a crash leaves at most what is there twice, and files that the next maintenance removes.

use std::{collections::BTreeSet, io, time::Duration};

use camino::Utf8Path;
use fs_err as fs;
use pv_lib::fs::Fs;
use rustix::fs::syncfs;
use tokio::task::spawn_blocking;

use super::{
    call::GitCall,
    leftovers::{PACKED_REFS_LOCKS, remove_old_lock, remove_unfinished_packs, try_maintenance_lock},
    mirror_state::{MirrorLimits, MirrorState, Pack},
};

/// How much git prints here, in bytes: the names of packs.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

/// The files of a pack, in the order in which they go: without the first, nobody looks for the others.
const PACK_FILES: [&str; 5] = ["idx", "rev", "bitmap", "mtimes", "pack"];

/// How a pack is written that is to stay: durably, by one thread, and whole.
const PACK_CONFIG: [&str; 8] =
    ["-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync", "-c", "pack.threads=1", "-c", "pack.packSizeLimit=0"];

/// Does what is due for a mirror. Tells whether anything was.
///
/// # Errors
/// Why something could not be done; nothing is lost then.
pub(crate) async fn maintain(
    disk: &dyn Fs,
    mirror: &Utf8Path,
    state: &MirrorState,
    limits: &MirrorLimits,
    timeout: Duration,
) -> Result<bool, String> {
    if !state.has_many_refs(limits) && !state.has_many_files(limits) {
        return Ok(false);
    }
    let Some(_lock) = try_maintenance_lock(disk, mirror)? else { return Ok(false) };
    remove_unfinished_packs(mirror, timeout * 2);
    let unlocked = PACKED_REFS_LOCKS.iter().try_for_each(|lock| remove_old_lock(mirror, lock));
    unlocked.map_err(|error| error.to_string())?;
    let maintenance = Maintenance { path: mirror, timeout };
    if state.has_many_refs(limits) {
        maintenance.pack_refs().await?;
    }
    if state.has_many_files(limits) {
        maintenance.gather_objects(state).await?;
    }
    Ok(true)
}

struct Maintenance<'a> {
    path: &'a Utf8Path,
    timeout: Duration,
}

impl Maintenance<'_> {
    /// Writes all references into one file, and removes their own files once that is durable.
    async fn pack_refs(&self) -> Result<(), String> {
        let pack = [&PACK_CONFIG[..4], &["pack-refs", "--all"]].concat();
        self.git(&[&pack[..], &["--no-prune"]].concat(), b"").await?;
        self.sync().await?;
        self.git(&pack, b"").await.map(drop)
    }

    /// Writes the objects that have files of their own and those of small packs into one pack, and removes them once that is
    /// durable.
    async fn gather_objects(&self, state: &MirrorState) -> Result<(), String> {
        let (gathered, left) = state.split_packs();
        let names = |packs: &[&Pack], mark: &str| -> String {
            packs.iter().map(|pack| format!("{mark}{}.pack\n", pack.name)).collect()
        };
        let packs = names(&gathered, "") + &names(&left, "^");
        let base = self.path.join("objects/pack/pack");
        let write = ["pack-objects", "--quiet", "--stdin-packs", "--unpacked", "--non-empty", "--delta-base-offset"];
        let printed = self.git(&[&PACK_CONFIG[..], &write, &[base.as_str()]].concat(), packs.as_bytes()).await?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        // None where all of it is in the packs that stay.
        let written: BTreeSet<String> = printed.lines().map(|name| format!("pack-{}", name.trim())).collect();
        for pack in &written {
            let index = self.path.join("objects/pack").join(format!("{pack}.idx"));
            self.git(&["verify-pack", index.as_str()], b"").await?;
        }
        self.sync().await?;
        for pack in gathered.iter().filter(|pack| !written.contains(&pack.name)) {
            self.remove_pack(&pack.name).map_err(|error| error.to_string())?;
        }
        self.git(&["prune-packed", "--quiet"], b"").await.map(drop)
    }

    fn remove_pack(&self, name: &str) -> io::Result<()> {
        for ending in PACK_FILES {
            match fs::remove_file(self.path.join("objects/pack").join(format!("{name}.{ending}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes durable what git wrote, names included.
    async fn sync(&self) -> Result<(), String> {
        let dir = fs::File::open(self.path).map_err(|error| error.to_string())?;
        let synced = spawn_blocking(move || syncfs(dir.file())).await.map_err(|error| error.to_string())?;
        synced.map_err(|error| format!("cannot sync {}: {error}", self.path))
    }

    async fn git(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let args = [&["--git-dir", self.path.as_str()], args].concat();
        let call = GitCall {
            args: &args,
            input,
            limit: self.timeout,
            output_bytes_max: OUTPUT_BYTES_MAX,
            is_background: true,
        };
        call.run().await
    }
}
