//! As whom this process runs jobs.

use std::ffi::OsString;

use pv_lib::{host, store::RunsAs};
use rustix::{
    process::{getegid, geteuid, getgroups},
    thread::no_new_privs,
};

use crate::agent::known_variables;

/// Returns as whom this process runs jobs that get `environment`.
#[must_use]
pub fn runs_as(environment: &[(OsString, OsString)]) -> RunsAs {
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.to_string_lossy().into_owned());
    RunsAs {
        user: host::user_name(),
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        groups: getgroups().unwrap_or_default().into_iter().map(rustix::process::Gid::as_raw).collect(),
        no_new_privs: no_new_privs().unwrap_or(false),
        path: path.unwrap_or_default(),
        variables: known_variables(environment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c24_what_is_told_of_the_environment_is_its_path_and_names() {
        let variables = [("PATH", "/a:/b"), ("OPENAI_API_KEY", "s3cret"), ("PV_API_TOKEN", "s3cret"), ("HOME", "/h")];
        let told = runs_as(&variables.map(|(name, value)| (name.into(), value.into())));
        assert_eq!((told.path.as_str(), told.variables.as_slice()), ("/a:/b", &["OPENAI_API_KEY".to_owned()][..]));
        assert_eq!((told.uid, told.user.is_empty()), (geteuid().as_raw(), false));
        assert!(!format!("{told:?}").contains("s3cret"));
    }
}
