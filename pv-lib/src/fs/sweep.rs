//! Cuts the power at every step of a procedure, and shows a test every image that each cut may leave.
//!
//! The procedure runs once for every step at which it is cut, on its own copy of the disk, so it must do the same each
//! time: no clock, no random numbers, no threads.

use std::{collections::HashSet, fmt, sync::Arc};

use super::MemFs;

/// A machine after a power cut, before anything ran on it again.
#[derive(Debug, Clone)]
pub struct Image {
    /// The disk. Nothing is pending on it, and no lock is held.
    pub fs: Arc<MemFs>,
    /// Whether the procedure had returned `Ok`: what it promised must hold then.
    pub acknowledged: bool,
    /// After how many steps the power was cut.
    pub cut: usize,
    /// How many steps the whole procedure has.
    pub steps: usize,
    /// Which of the images of this cut it is, from 1.
    pub number: usize,
}

/// Where it came from, for the message of a failed test.
impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cut, steps, number, acknowledged, .. } = self;
        write!(f, "image {number} of the cut after step {cut} of {steps}, acknowledged: {acknowledged}")
    }
}

/// How much was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Steps of the procedure; the power was cut before each and after the last.
    pub steps: usize,
    /// Different images that were checked.
    pub images: usize,
}

/// Cuts the power before every step of `act` and after the last, and calls `check` with every image of each cut.
///
/// Images that a reader cannot distinguish are checked once, or twice where one was acknowledged and the other not.
///
/// # Panics
/// If `act` fails although the power stays on; and as [`MemFs::power_cut_images`].
pub fn sweep<T, E: fmt::Debug>(
    base: &MemFs,
    act: impl Fn(&Arc<MemFs>) -> Result<T, E>,
    mut check: impl FnMut(&Image),
) -> Report {
    let whole = Arc::new(base.fork());
    let before = whole.steps();
    let done = act(&whole);
    assert!(done.is_ok(), "the procedure fails with the power on: {:?}", done.err());
    let steps = whole.steps() - before;

    let mut known = HashSet::new();
    let mut images = 0;
    for cut in 0..=steps {
        let machine = Arc::new(base.fork());
        machine.cut_after(cut);
        // One that overlooks a failed step counts as acknowledged, cut or not.
        let acknowledged = act(&machine).is_ok();
        assert!(acknowledged || cut < steps, "the procedure does not do the same each time");
        for (index, fs) in machine.power_cut_images().into_iter().enumerate() {
            if known.insert((acknowledged, fs.content())) {
                images += 1;
                check(&Image { fs: Arc::new(fs), acknowledged, cut, steps, number: index + 1 });
            }
        }
    }
    Report { steps, images }
}

/// Like [`sweep`], and cuts the power a second time at every step of the recovery from every image.
///
/// `check` sees what an undisturbed recovery makes of each image of the second cut; `acknowledged` is that of `act`.
/// Its report counts the images of the second cuts.
///
/// # Panics
/// As [`sweep`], and if `recover` fails although the power stays on.
pub fn sweep_twice<T, E: fmt::Debug, U, G: fmt::Debug>(
    base: &MemFs,
    act: impl Fn(&Arc<MemFs>) -> Result<T, E>,
    recover: impl Fn(&Arc<MemFs>) -> Result<U, G>,
    mut check: impl FnMut(&Image),
) -> Report {
    let mut known = HashSet::new();
    let mut images = 0;
    let first = sweep(base, act, |first| {
        sweep(&first.fs, &recover, |second| {
            if known.insert((first.acknowledged, second.fs.content())) {
                images += 1;
                let recovered = recover(&second.fs);
                assert!(recovered.is_ok(), "{first}, then {second}: recovery fails: {:?}", recovered.err());
                check(&Image { acknowledged: first.acknowledged, ..second.clone() });
            }
        });
    });
    Report { steps: first.steps, images }
}
