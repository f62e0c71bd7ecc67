//! The name of a branch that is delivered again: the one that it had, or one by the settings as they are now. Pure.

use pv_lib::job::PushState;

/// What is to be done about the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The branch keeps its name.
    Keep,
    /// It gets the name by the settings as they are now.
    Rename,
    /// The remote is to be asked first: it keeps its name unless the remote says that it has no such branch.
    Ask,
}

/// Decides about the name of a branch whose push got as far as the record of the earlier job says.
///
/// Where a remote may have the branch it keeps its name: the work would be there twice. A record of an older version does
/// not say how far the push got.
pub(super) fn choose(is_changed: bool, earlier: Option<PushState>) -> Choice {
    match (is_changed, earlier) {
        (false, _) | (true, Some(PushState::Begun | PushState::Pushed)) => Choice::Keep,
        (true, Some(PushState::Refused)) => Choice::Rename,
        (true, None) => Choice::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_a_name_is_made_anew_only_where_no_remote_can_have_the_first() {
        use PushState::{Begun, Pushed, Refused};
        for (is_changed, earlier, expected) in [
            (false, None, Choice::Keep),
            (false, Some(Refused), Choice::Keep),
            (false, Some(Begun), Choice::Keep),
            (false, Some(Pushed), Choice::Keep),
            (true, None, Choice::Ask),
            (true, Some(Refused), Choice::Rename),
            (true, Some(Begun), Choice::Keep),
            (true, Some(Pushed), Choice::Keep),
        ] {
            assert_eq!(choose(is_changed, earlier), expected, "{is_changed} {earlier:?}");
        }
    }
}
