//! Secrets among the settings: read whole or refused, and in no answer, no warning and no error, not even in part.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, on a disk of its own")]

use std::{collections::BTreeMap, ffi::OsString, os::unix::ffi::OsStringExt};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    config::{self, Config, ConfigError, Overrides, Secret, SecretDamage, Warning, vars},
    fs::OsFs,
};

/// A folder with an empty settings file.
struct Fixture(tempfile::TempDir);

type Loaded = Result<(Config, Vec<Warning>), ConfigError>;

impl Fixture {
    fn with(yaml: &str) -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        std::fs::write(fixture.file("pv.yaml"), yaml).unwrap();
        fixture
    }

    fn file(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.0.path()).unwrap().join(name)
    }

    fn load(&self, variables: &[(&str, OsString)]) -> Loaded {
        let mut all: BTreeMap<&str, OsString> = variables.iter().cloned().collect();
        all.insert("PV_CONFIG_PATH", self.file("pv.yaml").into_string().into());
        config::load(&OsFs, &|name| all.get(name).cloned(), &Overrides::default())
    }
}

/// Returns everything that may be printed of what was loaded, or of why it was not.
fn printed(loaded: &Loaded) -> String {
    match loaded {
        Ok((config, warnings)) => {
            let warned: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            format!("{config:?} {warned:?} {warnings:?}")
        }
        Err(error) => format!("{error} {error:?}"),
    }
}

#[test]
fn b04_a_token_is_taken_whole_whatever_is_in_it() {
    let fixture = Fixture::with("");
    for token in
        ["#0123456789abcdef", "ab#cd", "#a", "a#", "it's", "a\"b", "\"quoted\"", "'quoted'", "a=b&c,d;e$f\\g`h"]
    {
        let loaded = fixture.load(&[("PV_API_TOKEN", token.into())]);
        let token_read = loaded.as_ref().unwrap().0.api_token(&OsFs).unwrap();
        assert_eq!(token_read.unwrap().expose(), token);
        assert_eq!(loaded.as_ref().unwrap().1, [], "{token}");
        assert!(!printed(&loaded).contains(token), "{token}");
    }
}

#[test]
fn b04_a_token_that_looks_damaged_is_refused_and_nothing_of_it_is_told() {
    let fixture = Fixture::with("");
    let client = |value: &OsString| {
        config::client_token(&OsFs, &|name| (name == "PV_API_TOKEN").then(|| value.clone())).map(|_| ())
    };
    for (value, expected) in [
        (&b"s3cr3t # my token"[..], SecretDamage::Comment),
        (b"s3cr3t\t#mine", SecretDamage::Comment),
        (b"# s3cr3t", SecretDamage::Comment),
        (b"##", SecretDamage::Comment),
        (b"s3cr3t s3cr3u", SecretDamage::WhiteSpace),
        (b"s3cr3t\ns3cr3u", SecretDamage::WhiteSpace),
        (b"\"s3cr3t s3cr3u\"", SecretDamage::WhiteSpace),
        (b"s3cr3t\x01", SecretDamage::Control),
        (b"s3cr3t\x7f", SecretDamage::Control),
        ("s3crét".as_bytes(), SecretDamage::NotAscii),
        ("s3cr3t\u{a0}".as_bytes(), SecretDamage::NotAscii),
        ("\u{feff}s3cr3t".as_bytes(), SecretDamage::NotAscii),
        (b"s3cr3t\xff", SecretDamage::NotAscii),
        (b"\"s3cr3t", SecretDamage::Quote),
        (b"s3cr3t'", SecretDamage::Quote),
        (b"\"s3cr3t'", SecretDamage::Quote),
        (b"'", SecretDamage::Quote),
        (b"\"\"", SecretDamage::Blank),
        (b" \t ", SecretDamage::Blank),
    ] {
        let value = OsString::from_vec(value.to_vec());
        let loaded = fixture.load(&[("PV_API_TOKEN", value.clone())]);
        for error in [loaded.unwrap_err(), client(&value).unwrap_err()] {
            let found = matches!(&error, ConfigError::DamagedSecret { damage, .. } if *damage == expected);
            assert!(found, "{value:?}: {error:?}");
            let text = error.to_string();
            assert!(text.starts_with("PV_API_TOKEN cannot be used") && text.contains("PV_API_TOKEN_FILE"), "{text}");
            assert!(!format!("{text}{error:?}").contains("3cr"), "{text}");
        }
    }
}

#[test]
fn b04_an_empty_token_is_none_and_white_space_around_one_is_not_a_part_of_it() {
    let fixture = Fixture::with("");
    let token = |value: &str| {
        let (config, _) = fixture.load(&[("PV_API_TOKEN", value.into())]).unwrap();
        config.api_token(&OsFs).unwrap().map(|token| token.expose().to_owned())
    };
    assert_eq!(token(""), None);
    assert_eq!(token("  s3cret\r\n").as_deref(), Some("s3cret"));
}

#[test]
fn b04_a_file_holds_its_token_whole_or_is_refused_without_a_word_of_it() {
    let fixture = Fixture::with("");
    let file = fixture.file("token");
    let (config, _) = fixture.load(&[("PV_API_TOKEN_FILE", file.as_str().into())]).unwrap();
    for (holds, token) in [("#s3cr3t\n", "#s3cr3t"), ("s3#cr3t\r\n", "s3#cr3t"), ("'s3cr3t'", "'s3cr3t'")] {
        std::fs::write(&file, holds).unwrap();
        assert_eq!(config.api_token(&OsFs).unwrap().unwrap().expose(), token);
    }
    for holds in ["", "\n", "s3cr3t # mine\n", "# s3cr3t\n", "s3cr3t\ns3cr3u\n", "\"s3cr3t\n", "s3crét\n"] {
        std::fs::write(&file, holds).unwrap();
        let error = config.api_token(&OsFs).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(file.as_str()) && text.contains("its only line"), "{text}");
        assert!(!text.contains("3cr"), "{text}");
    }
}

#[test]
fn b04_a_variable_that_should_name_a_tokens_file_and_does_not_leaves_nothing_open() {
    let fixture = Fixture::with("");
    // The second is what an env file with a comment instead of a value comes to; the third is the token itself.
    for value in ["  ", "# s3cr3t", "s3cr3t", "s3cr3t # of the API"] {
        let loaded = fixture.load(&[("PV_API_TOKEN_FILE", value.into())]);
        assert!(matches!(&loaded, Err(ConfigError::Unusable { value: None, .. })), "{value}: {loaded:?}");
        assert!(!printed(&loaded).contains("s3cr3t"), "{value}");
    }
    let loaded = fixture.load(&[("PV_API_TOKEN_FILE", "/etc/token # was s3cr3t".into())]);
    assert!(matches!(loaded.as_ref().unwrap().1.as_slice(), [Warning::TrailingComment { dropped: None, .. }]));
    assert!(!printed(&loaded).contains("s3cr3t"));
}

#[test]
fn b04_every_secret_variable_is_hidden_and_read_as_one() {
    let fixture = Fixture::with("");
    let mut secrets = 0;
    for var in vars::ALL.iter().filter(|var| var.is_secret()) {
        secrets += 1;
        let loaded = fixture.load(&[(var.name, "#s3cr3t".into())]);
        assert!(!printed(&loaded).contains("s3cr3t"), "{}", var.name);
        let (config, warnings) = loaded.unwrap();
        let row = config.rows.iter().find(|row| row.var == Some(var.name)).unwrap();
        assert_eq!((&row.value, warnings.len()), (&"(set)".into(), 0), "{}", var.name);
        let damaged = fixture.load(&[(var.name, "s3cr3t # x".into())]);
        assert!(matches!(damaged, Err(ConfigError::DamagedSecret { .. })), "{}", var.name);
    }
    assert!(secrets > 0);
}

#[test]
fn b04_settings_that_may_hold_credentials_are_refused_without_showing_them() {
    for yaml in [
        "delivery: {api_base: 'https://u:s3cr3t@api.example'}",
        "delivery: {api_base: 'https://s3cr3t@api.example'}",
        "delivery: {api_base: 'https://api.example/?token=s3cr3t'}",
        "delivery: {token_file: s3cr3t}",
        "delivery: {branch_prefix: 'https://u:s3cr3t@h/'}",
        "git_host: u:s3cr3t@example.org",
        "git_host: 'https://u:s3cr3t@example.org'",
        "agents: {mine: {command: \"mine --key 's3cr3t\"}}",
        "agents: {mine: {args: [{key: s3cr3t}]}}",
        "agents: {mine: {env: [KEY=s3cr3t]}}",
        "agents: {mine: mine --key s3cr3t}",
        "agents: [mine, s3cr3t]",
    ] {
        let loaded = Fixture::with(yaml).load(&[]);
        let Err(ConfigError::Unusable { .. }) = &loaded else { panic!("{yaml}: {loaded:?}") };
        assert!(!printed(&loaded).contains("s3cr3t"), "{yaml}: {}", printed(&loaded));
    }
    for (name, value) in [
        ("PV_API_BASE_URL", "http://u:s3cr3t@127.0.0.1:8888"),
        ("PV_API_BASE_URL", "http://127.0.0.1:8888/?token=s3cr3t"),
        ("PV_BIND_HOST", "http://u:s3cr3t@h"),
        ("PV_ALLOWED_HOSTS", "valet.example, https://u:s3cr3t@h"),
        ("PV_BIND_PORT", "8888 # at http://u:s3cr3t@h"),
    ] {
        let loaded = Fixture::with("").load(&[(name, value.into())]);
        assert!(!printed(&loaded).contains("s3cr3t"), "{name}: {}", printed(&loaded));
    }
}

#[test]
fn b04_a_variable_that_is_not_utf_8_does_not_count_as_unset() {
    let fixture = Fixture::with("");
    for name in ["PV_ROOT", "PV_API_TOKEN_FILE", "PV_BIND_HOST"] {
        let loaded = fixture.load(&[(name, OsString::from_vec(b"/srv/\xff".to_vec()))]);
        assert!(matches!(&loaded, Err(ConfigError::NotUtf8 { name: named }) if *named == name), "{loaded:?}");
    }
}

#[test]
fn b04_a_secret_tells_nothing_of_itself() {
    let secret = Secret::read(b"s3cr3t").unwrap().unwrap();
    assert_eq!((format!("{secret:?}").as_str(), secret.expose()), ("Secret(…)", "s3cr3t"));
}

#[test]
fn a_client_reads_its_token_from_the_environment_alone() {
    let fixture = Fixture::with("not: [settings");
    let token_file = fixture.file("token");
    std::fs::write(&token_file, "from-file\n").unwrap();
    let token = |env: &[(&str, &str)]| {
        let vars: BTreeMap<&str, &str> = env.iter().copied().collect();
        let token = config::client_token(&OsFs, &|name| vars.get(name).map(Into::into));
        token.map(|token| token.map(|token| token.expose().to_owned())).map_err(|error| error.to_string())
    };
    let file = ("PV_API_TOKEN_FILE", token_file.as_str());
    assert_eq!(token(&[("PV_CONFIG_PATH", fixture.file("pv.yaml").as_str())]), Ok(None));
    assert_eq!(token(&[file]), Ok(Some("from-file".into())));
    assert_eq!(token(&[file, ("PV_API_TOKEN", "given")]), Ok(Some("given".into())));
    assert_eq!(token(&[file, ("PV_API_TOKEN", "")]), Ok(Some("from-file".into())), "empty is unset");
    assert!(token(&[("PV_API_TOKEN_FILE", "/no/such/file")]).unwrap_err().contains("/no/such/file"));
}
