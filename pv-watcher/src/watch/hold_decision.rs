//! The decision whether a job may start while its agent is held: one cause costs one job, not the queue.

use pv_lib::{job::JobId, store::AgentHold, time::Timestamp};

/// What becomes of a job that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HoldDecision {
    /// It may start.
    Start,
    /// It waits: a hold on its agent lasts until then.
    Held {
        /// The latest end of the holds.
        until: Timestamp,
    },
    /// It waits: the time of the hold is over, and this job is being tried.
    Probing {
        /// The job.
        job: JobId,
    },
}

/// A job that a supervisor has in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveJob {
    /// The job.
    pub(crate) id: JobId,
    /// When it was started; `None` where its supervisor has not written that yet.
    pub(crate) started_at: Option<Timestamp>,
}

/// Decides on a job, given the holds on its agent and the live jobs of that agent.
///
/// A hold whose time is over and that is still there lets one job be tried. Whoever ran before that tells nothing of it;
/// a job that was started since is the one that is tried, until it is over, or has lifted the hold, or put it anew. All of
/// that is read from the disk, so that a watcher that is started anew decides the same.
pub(crate) fn decide(holds: &[AgentHold], now: Timestamp, live: &[LiveJob]) -> HoldDecision {
    let Some(until) = holds.iter().map(|hold| hold.until).max() else { return HoldDecision::Start };
    if until > now {
        return HoldDecision::Held { until };
    }
    match live.iter().find(|job| job.started_at.is_none_or(|started_at| started_at >= until)) {
        Some(tried) => HoldDecision::Probing { job: tried.id.clone() },
        None => HoldDecision::Start,
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::job::HoldKind;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn hold(kind: HoldKind, until: i64) -> AgentHold {
        AgentHold {
            agent: "codex".into(),
            kind,
            until: at(until),
            message: String::new(),
            job_id: "a".parse().unwrap(),
            unknown_ends: 1,
            since: at(0),
        }
    }

    #[test]
    fn c02_one_job_is_tried_when_a_hold_is_over_and_the_others_wait() {
        let quota = |until| hold(HoldKind::Quota, until);
        let auth = |until| hold(HoldKind::Auth, until);
        let held = |until| HoldDecision::Held { until: at(until) };
        let probing = |id: &str| HoldDecision::Probing { job: id.parse().unwrap() };
        let start = HoldDecision::Start;
        // The holds, the time, the live jobs with the times of their starts; the decision.
        type Case<'a> = (Vec<AgentHold>, i64, &'a [(&'a str, Option<i64>)], HoldDecision);
        let table: [Case<'_>; 17] = [
            (vec![], 50, &[], start.clone()),
            (vec![], 50, &[("a", Some(49)), ("b", None)], start.clone()),
            // Within its time nothing starts.
            (vec![quota(100)], 0, &[], held(100)),
            (vec![quota(100)], 99, &[], held(100)),
            (vec![quota(100)], 99, &[("a", Some(50))], held(100)),
            (vec![quota(100)], 99, &[("a", None)], held(100)),
            // Its time is over: one is tried, at once and however late.
            (vec![quota(100)], 100, &[], start.clone()),
            (vec![quota(100)], 9_999, &[], start.clone()),
            // A job that has run since before is not the one that is tried.
            (vec![quota(100)], 100, &[("a", Some(99))], start.clone()),
            (vec![quota(100)], 100, &[("a", Some(0)), ("b", Some(99))], start.clone()),
            // One that was started since is, also before its supervisor has written that it was started.
            (vec![quota(100)], 100, &[("a", Some(100))], probing("a")),
            (vec![quota(100)], 500, &[("a", Some(99)), ("b", Some(101))], probing("b")),
            (vec![quota(100)], 100, &[("a", None)], probing("a")),
            // Of several holds the last one to end counts.
            (vec![quota(100), auth(200)], 150, &[], held(200)),
            (vec![quota(200), auth(100)], 200, &[], start.clone()),
            (vec![quota(200), auth(100)], 200, &[("a", Some(150))], start),
            (vec![quota(200), auth(100)], 201, &[("a", Some(200))], probing("a")),
        ];
        for (holds, now, live, expected) in table {
            let job = |(id, started_at): &(&str, Option<i64>)| LiveJob {
                id: id.parse().unwrap(),
                started_at: started_at.map(at),
            };
            let live: Vec<_> = live.iter().map(job).collect();
            assert_eq!(decide(&holds, at(now), &live), expected, "{holds:?} at {now}, live {live:?}");
        }
    }
}
