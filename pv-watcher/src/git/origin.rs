//! Where a repository's branches come from and go to.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{fs::Fs, layout::Layout, target::Target, text::without_credentials};

use super::{
    failure::GitFailure,
    local_start::LocalStart,
    mirror::{Mirror, Source},
    person_settings::PersonSettings,
    remotes::{Remote, home_of, remotes_of},
    runner::Runner,
};

/// What stands for an address that git must use as it is: a rule of ours makes that address of it, and git applies no
/// second one.
const STAND_IN: &str = "pv-address:";

/// A repository: its mirror, and where its branches come from and go to.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// The bare mirror.
    pub(crate) mirror: Mirror,
    /// Where its branches come from and go to.
    pub(crate) origin: Origin,
    /// What the person's configuration says of every repository, where a clone of theirs told it.
    pub(crate) person: Option<PersonSettings>,
}

/// Where a repository's branches come from and go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A remote, known from the settings or from a person's clone, which then spares the network.
    Remote(Remote),
    /// A person's repository on this host that has no remote.
    Local(Utf8PathBuf),
    /// A person's repository on this host, whatever remote it has, because the job's person asked for that.
    Asked {
        /// Where it is.
        clone: Utf8PathBuf,
        /// Its own remote, where it has one: what the agent may fetch from.
        remote: Option<String>,
    },
}

impl Origin {
    /// Returns what git fetches from.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Remote(remote) => &remote.url,
            Self::Local(dir) | Self::Asked { clone: dir, .. } => dir.as_str(),
        }
    }

    /// Returns what git pushes to, one after the other: at least one.
    pub(crate) fn push_urls(&self) -> Vec<&str> {
        match self {
            Self::Remote(remote) => remote.push.iter().map(String::as_str).collect(),
            Self::Local(dir) | Self::Asked { clone: dir, .. } => vec![dir.as_str()],
        }
    }

    /// Returns the addresses that tell on which host it is: as git uses it, and as it is written down.
    pub(crate) fn fetched_from(&self) -> Vec<&str> {
        match self {
            Self::Remote(remote) => vec![&remote.url, &remote.written],
            // Its submodules come from beside its remote.
            Self::Asked { clone, remote } => [clone.as_str()].into_iter().chain(remote.as_deref()).collect(),
            Self::Local(dir) => vec![dir.as_str()],
        }
    }

    /// Returns the addresses that tell on which host a pushed branch is: as it is written down, and as git uses it, which
    /// may name the host by an alias.
    pub(crate) fn pushed_to(&self) -> Vec<&str> {
        match self {
            Self::Remote(remote) => {
                [&remote.written_push].into_iter().chain(&remote.push).map(String::as_str).collect()
            }
            Self::Local(dir) | Self::Asked { clone: dir, .. } => vec![dir.as_str()],
        }
    }

    /// Returns settings and an address that make git use one of these addresses as it is, where it is rewritten already:
    /// git's rules count once.
    pub(crate) fn as_it_is(&self, url: &str) -> (Vec<String>, String) {
        let is_resolved = !matches!(self, Self::Remote(Remote { clone: None, .. }));
        // A key cannot have either on the command line.
        if !is_resolved || url.contains(['=', '\n']) {
            return (Vec::new(), url.to_owned());
        }
        (vec!["-c".to_owned(), format!("url.{url}.insteadOf={STAND_IN}")], STAND_IN.to_owned())
    }

    /// Returns where it comes from as an agent may see it: as it is written down, without a password.
    pub(crate) fn public_url(&self) -> String {
        match self {
            Self::Remote(remote) => without_credentials(&remote.written),
            Self::Asked { remote: Some(remote), .. } => without_credentials(remote),
            Self::Local(dir) | Self::Asked { clone: dir, .. } => dir.to_string(),
        }
    }
}

impl Repository {
    /// Finds out where the repository of a target is: the clone that was asked for, else by a person's clone, else from `template`, an address with `{owner}`
    /// and `{repo}` in it.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(crate) fn locate(
        git: &mut Runner<'_>,
        layout: &Layout,
        target: &Target,
        template: Option<&str>,
        asked: Option<&LocalStart>,
    ) -> Result<Self, GitFailure> {
        let mirror = Mirror::at(layout.mirror_path(target));
        if let Some(LocalStart { clone, .. }) = asked {
            if !is_there(clone)? {
                let gone = format!("{clone} is not there any more: put the clone back, then `pv retry` delivers to it");
                return Err(GitFailure::Failed(gone));
            }
            // What the agent may fetch from, where that is clear: nothing of ours needs it.
            let remotes = remotes_of(git, clone).ok();
            let person = remotes.as_ref().and_then(|remotes| remotes.person);
            let remote = remotes.and_then(|remotes| remotes.chosen).map(|(_, remote)| remote.written);
            return Ok(Self { mirror, origin: Origin::Asked { clone: clone.clone(), remote }, person });
        }
        let clone = layout.clone_path(target);
        let mut person = None;
        let origin = if is_there(&clone)? {
            let remotes = remotes_of(git, &clone)?;
            person = remotes.person;
            match remotes.chosen {
                Some((_, remote)) => Origin::Remote(remote),
                None => Origin::Local(home_of(git, &clone)?),
            }
        } else if let Some(template) = template {
            let url = template.replace("{owner}", target.owner().unwrap_or_default()).replace("{repo}", target.repo());
            Origin::Remote(Remote::named(url))
        } else {
            return Err(GitFailure::Failed(format!(
                "there is no clone of it at {clone}: clone it there, or set watcher.auto_clone_missing_repos"
            )));
        };
        Ok(Self { mirror, origin, person })
    }

    /// Brings a branch of the mirror up to date; the mirror is made if there is none yet. `credentials` are settings by
    /// which git gets them.
    ///
    /// # Errors
    /// What git says.
    pub(crate) fn fetch_branch(
        &self,
        git: &mut Runner<'_>,
        fs: &dyn Fs,
        branch: &str,
        credentials: &[&str],
    ) -> Result<(), GitFailure> {
        let (settings, address) = self.origin.as_it_is(self.origin.url());
        let settings: Vec<&str> = settings.iter().map(String::as_str).chain(credentials.iter().copied()).collect();
        let seed = match &self.origin {
            Origin::Remote(remote) => remote.clone.as_deref(),
            Origin::Local(_) | Origin::Asked { .. } => None,
        };
        let name = without_credentials(self.origin.url());
        let from = Source { name: &name, settings: &settings, address: &address, seed };
        self.mirror.fetch_branch(git, fs, &from, branch)
    }
}

/// Tells whether there is a clone. One that cannot be looked at is a failure: it may name another remote than the settings.
fn is_there(clone: &Utf8Path) -> Result<bool, GitFailure> {
    match fs_err::metadata(clone) {
        Ok(stat) => Ok(stat.is_dir()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(GitFailure::Failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in
            [("https://u:secret@h/o/r.git", "https://h/o/r.git"), ("ssh://git@h/o/r.git", "ssh://git@h/o/r.git")]
        {
            let origin = Origin::Remote(Remote::named(url.into()));
            assert_eq!((origin.public_url().as_str(), origin.push_urls()), (shown, vec![url]));
        }
    }

    #[test]
    fn b11_git_rewrites_an_address_once() {
        let resolved = |url: &str| {
            let remote = Remote { clone: Some("/repos/o/r".into()), ..Remote::named(url.into()) };
            Origin::Remote(remote).as_it_is(url)
        };
        let rule = vec!["-c".to_owned(), "url.https://h/r.insteadOf=pv-address:".to_owned()];
        assert_eq!(resolved("https://h/r"), (rule, "pv-address:".to_owned()));
        assert_eq!(resolved("https://h/r?a=b"), (vec![], "https://h/r?a=b".to_owned()), "such a key cannot be given");
        let named = Origin::Remote(Remote::named("https://h/r".into()));
        assert_eq!(named.as_it_is("https://h/r"), (vec![], "https://h/r".to_owned()), "git is still to rewrite it");
        assert_eq!(Origin::Local("/repos/o/r".into()).as_it_is("/repos/o/r").0.len(), 2);
    }
}
