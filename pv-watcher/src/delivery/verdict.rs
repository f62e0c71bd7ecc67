//! What becomes of the push of a branch, decided from how it ended and from what the remote has. Pure.

use pv_lib::job::PushState;

/// How the push to one address ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing was pushed there, now or earlier.
    NotBegun,
    /// The remote says that it has taken it.
    Taken,
    /// The remote, or git before it asked, says no.
    Refused,
    /// It ended without a word about the branch.
    Unanswered,
    /// It was stopped, or an earlier supervisor of the job was ended meanwhile.
    Stopped,
}

/// What the remote has under the branch's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The job's commit, or others on top of it.
    Ours,
    /// No such branch.
    Nothing,
    /// Something else.
    Other,
    /// It could not be asked.
    NoAnswer,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The remote has it, whatever else happened.
    Pushed,
    /// It is to be delivered again.
    Failed,
    /// It was stopped on request, and the remote does not have it.
    Aborted,
    /// It was stopped on request, and nobody knows whether the remote has it.
    AbortedUnknown,
}

/// Decides what becomes of a push; `is_aborted` tells whether the job was to stop.
///
/// What the remote has wins. Where it cannot be asked, its own no counts, and that nothing was sent; its yes does not, since
/// a job counts as delivered where that was seen.
pub(super) fn verdict(end: End, seen: Seen, is_aborted: bool) -> Verdict {
    match (end, seen) {
        (_, Seen::Ours) => Verdict::Pushed,
        _ if !is_aborted => Verdict::Failed,
        (End::Taken | End::Unanswered | End::Stopped, Seen::NoAnswer) => Verdict::AbortedUnknown,
        (_, Seen::Nothing | Seen::Other) | (End::NotBegun | End::Refused, Seen::NoAnswer) => Verdict::Aborted,
    }
}

/// Returns what a record says of a push that ended so; `None` where nothing was pushed, which leaves it as it is.
///
/// `may_arrive` tells whether something of it may still be under way, as where a connection broke.
pub(super) fn push_state(end: End, seen: Seen, may_arrive: bool) -> Option<PushState> {
    match (end, seen) {
        (_, Seen::Ours) => Some(PushState::Pushed),
        (End::NotBegun, _) => None,
        (End::Refused, Seen::Nothing | Seen::NoAnswer) => Some(PushState::Refused),
        (End::Unanswered, Seen::Nothing) if !may_arrive => Some(PushState::Refused),
        _ => Some(PushState::Begun),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use End::{NotBegun, Refused, Stopped, Taken, Unanswered};
    use Seen::{NoAnswer, Nothing, Other, Ours};
    use Verdict::{Aborted, AbortedUnknown, Failed, Pushed};

    #[test]
    fn abort_while_pushing_is_decided_by_what_the_remote_has() {
        // How the push ended, what the remote has, and what becomes of it without and with an abort.
        for (end, seen, otherwise, aborted) in [
            (NotBegun, Ours, Pushed, Pushed),
            (NotBegun, Nothing, Failed, Aborted),
            (NotBegun, Other, Failed, Aborted),
            (NotBegun, NoAnswer, Failed, Aborted),
            (Taken, Ours, Pushed, Pushed),
            (Taken, Nothing, Failed, Aborted),
            (Taken, Other, Failed, Aborted),
            (Taken, NoAnswer, Failed, AbortedUnknown),
            (Refused, Ours, Pushed, Pushed),
            (Refused, Nothing, Failed, Aborted),
            (Refused, Other, Failed, Aborted),
            (Refused, NoAnswer, Failed, Aborted),
            (Unanswered, Ours, Pushed, Pushed),
            (Unanswered, Nothing, Failed, Aborted),
            (Unanswered, Other, Failed, Aborted),
            (Unanswered, NoAnswer, Failed, AbortedUnknown),
            (Stopped, Ours, Pushed, Pushed),
            (Stopped, Nothing, Failed, Aborted),
            (Stopped, Other, Failed, Aborted),
            (Stopped, NoAnswer, Failed, AbortedUnknown),
        ] {
            assert_eq!(verdict(end, seen, false), otherwise, "{end:?} {seen:?}");
            assert_eq!(verdict(end, seen, true), aborted, "{end:?} {seen:?}, to be stopped");
        }
    }

    #[test]
    fn c13_only_a_branch_that_no_remote_can_have_counts_as_refused() {
        for (end, seen, may_arrive, expected) in [
            (NotBegun, Nothing, false, None),
            (NotBegun, NoAnswer, true, None),
            (NotBegun, Ours, false, Some(PushState::Pushed)),
            (Refused, Nothing, false, Some(PushState::Refused)),
            (Refused, NoAnswer, false, Some(PushState::Refused)),
            (Refused, Other, false, Some(PushState::Begun)),
            (Unanswered, Nothing, false, Some(PushState::Refused)),
            (Unanswered, Nothing, true, Some(PushState::Begun)),
            (Unanswered, NoAnswer, false, Some(PushState::Begun)),
            (Stopped, Nothing, false, Some(PushState::Begun)),
            (Taken, Nothing, false, Some(PushState::Begun)),
            (Taken, Ours, false, Some(PushState::Pushed)),
        ] {
            assert_eq!(push_state(end, seen, may_arrive), expected, "{end:?} {seen:?} {may_arrive}");
        }
    }
}
