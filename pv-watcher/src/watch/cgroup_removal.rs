//! Removing the empty cgroups of jobs that are over.

use std::{collections::HashSet, time::Duration};

use pv_lib::{job::JobId, store::Store};
use tracing::info;

use crate::{watch::cgroup_sweep::CgroupSweep, watch::launch::Launcher, watch::reconcile::Reconciler};

impl<L: Launcher> Reconciler<L> {
    /// Removes empty cgroups of jobs that are over, where a supervisor has ended since the last look, and now and then. A
    /// supervisor removes that of its job itself; one that is killed cannot, and one that is busy stays for a moment.
    /// Those of jobs that this installation does not know are left alone: they may be another one's.
    pub(crate) fn sweep_cgroups(&mut self, active: HashSet<JobId>, uptime: Duration) {
        if !CgroupSweep::is_due(self.cgroups_swept.as_ref(), &active, uptime) {
            // Those that were started since are missed when they end.
            self.cgroups_swept.iter_mut().for_each(|sweep| sweep.active.extend(active.iter().cloned()));
            return;
        }
        let store = self.store.clone();
        let removed = self.launcher.remove_empty_cgroups(&mut |id| is_over(&store, id));
        if removed > 0 {
            info!(removed, "empty cgroups of jobs that are over");
        }
        self.cgroups_swept = Some(CgroupSweep { at: uptime, active });
    }
}

fn is_over(store: &Store, id: &JobId) -> bool {
    let state = store.read_run(id).ok().and_then(|run| run.state());
    state.is_some_and(|state| state.is_terminal()) && store.is_held(id).is_ok_and(|held| !held)
}
