//! A login of `gh` with the configured token: in a configuration folder of its own, and not in the environment.
//!
//! `gh` starts git and others, which inherit its environment. The folder is in the job's own, for its owner alone, and goes
//! with this value; what a crash leaves goes with the job's folders.

use std::{
    ffi::{OsStr, OsString},
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use pv_lib::config::Secret;
use serde_json::{Value, json};

/// How much of a person's settings of `gh` is taken over, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// Settings that say that nothing in the folder is of an older version.
const NO_SETTINGS: &str = "version: \"1\"\n";

/// The user that GitHub takes any token for.
const USER: &str = "x-access-token";

/// A configuration folder of `gh` with a login; it goes when this does.
#[derive(Debug)]
pub struct GhLogin(Utf8PathBuf);

impl GhLogin {
    /// Writes the folder `dir`, in place of one that a crash left: the login on `host` with this token, and the settings
    /// that the person of `environment` has, such as a proxy.
    ///
    /// # Errors
    /// What the disk says; nothing is left then.
    pub fn write(
        dir: Utf8PathBuf,
        host: &str,
        token: &Secret,
        environment: &[(OsString, OsString)],
    ) -> io::Result<Self> {
        let login = Self(dir);
        login.remove()?;
        if let Some(above) = login.0.parent() {
            fs::create_dir_all(above)?;
        }
        DirBuilder::new().mode(0o700).create(&login.0)?;
        let settings = read_settings(environment).unwrap_or_else(|| NO_SETTINGS.into());
        login.write_file("config.yml", &settings)?;
        // JSON is YAML.
        let mut account = json!({ "oauth_token": token.expose(), "user": USER, "git_protocol": "https" });
        account["users"] = json!({ USER: { "oauth_token": token.expose() } });
        let hosts: Value = json!({ host: account });
        login.write_file("hosts.yml", hosts.to_string().as_bytes())?;
        Ok(login)
    }

    /// Returns the folder.
    #[must_use]
    pub fn dir(&self) -> &Utf8Path {
        &self.0
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.0.join(name));
        options.and_then(|mut file: File| file.write_all(bytes))
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for GhLogin {
    fn drop(&mut self) {
        // What cannot be removed now goes with the job's folders.
        let _ = self.remove();
    }
}

/// Reads the settings of `gh` of the person whose environment this is; `None` where there are none.
fn read_settings(environment: &[(OsString, OsString)]) -> Option<Vec<u8>> {
    let value_of = |wanted: &str| {
        let value = environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_os_str());
        value.filter(|value| *value != OsStr::new("")).map(PathBuf::from)
    };
    let dir = value_of("GH_CONFIG_DIR")
        .or_else(|| Some(value_of("XDG_CONFIG_HOME")?.join("gh")))
        .or_else(|| Some(value_of("HOME")?.join(".config/gh")))?;
    let mut bytes = Vec::new();
    File::open(dir.join("config.yml")).ok()?.take(SETTINGS_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn bug_5_the_token_is_in_a_folder_for_its_owner_alone_that_goes_with_the_login() {
        let temp = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(temp.path().into()).unwrap();
        let (dir, token) = (root.join("id.git/gh"), Secret::new("t\"0ken".into()));
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        fs::create_dir_all(dir.join("left")).unwrap();
        let login = GhLogin::write(dir.clone(), "h.example", &token, &[]).unwrap();
        let hosts: Value = serde_json::from_str(&read("hosts.yml")).unwrap();
        assert_eq!(hosts["h.example"]["oauth_token"], "t\"0ken");
        assert_eq!(hosts["h.example"]["users"][USER]["oauth_token"], "t\"0ken");
        assert_eq!(read("config.yml"), NO_SETTINGS);
        let mode = |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("hosts.yml")), dir.join("left").exists()), (0o700, 0o600, false));
        drop(login);
        assert!(!dir.exists());
    }

    #[test]
    fn the_persons_own_settings_count_wherever_gh_finds_them() {
        let temp = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(temp.path().into()).unwrap();
        for (name, folder, below) in
            [("GH_CONFIG_DIR", "a", ""), ("XDG_CONFIG_HOME", "b", "gh"), ("HOME", "c", ".config/gh")]
        {
            let dir = root.join(folder).join(below);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("config.yml"), folder).unwrap();
            let variable = |name: &str, value: &Utf8Path| (OsString::from(name), OsString::from(value));
            let environment = [variable("HOME", &root.join("none")), variable(name, &root.join(folder))];
            let own = &environment[if name == "HOME" { 1.. } else { 0.. }];
            assert_eq!(read_settings(own).as_deref(), Some(folder.as_bytes()), "{name}");
        }
        assert_eq!(read_settings(&[("HOME".into(), root.join("none").into())]), None);
    }
}
