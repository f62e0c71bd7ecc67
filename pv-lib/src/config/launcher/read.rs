//! Reading the section `launchers` of the settings.

use std::collections::BTreeMap;

use super::{
    Ask, AskSignal, Bubblewrap, CommandLauncher, Launcher, LauncherKind, Purpose, Slurm, Template, TemplateFault,
    settings::{BUBBLEWRAP, COMMAND, LOCAL, SLURM},
};
use crate::config::{
    ConfigError, Origin, WithOrigin,
    sources::{Sources, keys, unusable},
    types::{ARGUMENTS, CHECKOUT_MODE, COUNT, LIST, SWITCH, SettingType, TEXT, TIME_ABOVE_ZERO, VARIABLES, WORD},
};

/// How many extra paths, options and exit codes one launcher has, at most.
const LIST_MAX: usize = 64;

/// The keys of all kinds.
const COMMON: [&str; 3] = ["kind", "checkout", "env"];

/// The keys of each kind.
const KEYS: [(&str, &[&str]); 4] = [
    (LOCAL, &[]),
    (BUBBLEWRAP, &["network", "read", "write"]),
    (SLURM, &["partition", "account", "cpus", "memory", "gres", "time", "options", "namespace"]),
    (COMMAND, &["run", "ask", "stop", "alive", "outcome", "succeeds", "waiting", "start_failed"]),
];

const KIND: SettingType<String> = SettingType {
    wanted: "local, bubblewrap, slurm or command",
    parse: |text| KEYS.iter().any(|(kind, _)| *kind == text).then(|| text.to_owned()),
    ..WORD
};

const NETWORK: SettingType<bool> = SettingType {
    wanted: "on or off",
    parse: |text| match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    },
    parse_list: |_| None,
    parse_items: |_| None,
    show: |is_on| if *is_on { "on".into() } else { "off".into() },
    hides_invalid: false,
};

const PATHS: SettingType<Vec<String>> = SettingType {
    wanted: "up to 64 paths that are absolute or begin with ~/, none of them with `..` in it, such as [~/.cargo, /opt/tools]",
    parse: |text| paths(vec![text.to_owned()]),
    parse_list: paths,
    ..LIST
};

const MEMORY: SettingType<String> = SettingType {
    wanted: "a number of MB, or a number with K, M, G or T, such as 8G",
    parse: |text| {
        let digits = text.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(text);
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
    },
    ..WORD
};

const OPTIONS: SettingType<Vec<String>> = SettingType {
    wanted: "up to 64 options of srun, such as [--constraint=avx2, --exclusive]",
    parse: |text| (ARGUMENTS.parse)(text).and_then(options),
    parse_list: |words| (ARGUMENTS.parse_list)(words).and_then(options),
    ..ARGUMENTS
};

const CODES: SettingType<Vec<i32>> = SettingType {
    wanted: "exit codes from 1 to 255, such as [125]",
    parse: |text| codes(&[text.to_owned()]),
    parse_list: |texts| codes(&texts),
    parse_items: |_| None,
    show: |codes| codes.clone().into(),
    hides_invalid: false,
};

/// What a setting for `ask` may be, before its command is read.
#[derive(Debug, Clone)]
enum AskSetting {
    Signal(AskSignal),
    Command(Vec<String>),
}

const ASK: SettingType<AskSetting> = SettingType {
    wanted: "a signal (HUP, INT, QUIT, TERM, USR1 or USR2), or a command as a list",
    parse: |text| AskSignal::named(text).map(AskSetting::Signal),
    parse_list: |words| (ARGUMENTS.parse_list)(words).map(AskSetting::Command),
    parse_items: |_| None,
    show: |ask| match ask {
        AskSetting::Signal(signal) => signal.as_str().into(),
        AskSetting::Command(words) => words.clone().into(),
    },
    hides_invalid: true,
};

/// Reads the launchers: those in the file, and the three that need no settings.
pub(in crate::config) fn launchers(s: &mut Sources<'_>) -> Result<BTreeMap<String, Launcher>, ConfigError> {
    let plain = |name: &str, kind| Launcher { name: name.to_owned(), kind, checkout: None, env: Vec::new() };
    let mut launchers = BTreeMap::from([
        (LOCAL.to_owned(), Launcher::local()),
        (BUBBLEWRAP.to_owned(), plain(BUBBLEWRAP, LauncherKind::Bubblewrap(Bubblewrap::default()))),
        (SLURM.to_owned(), plain(SLURM, LauncherKind::Slurm(Slurm::default()))),
    ]);
    for (name, origin) in s.names_below("launchers") {
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            let key = format!("launchers.{name}");
            return Err(unusable(&origin, &key, &name, "a name of letters, digits, `-` and `_`"));
        }
        launchers.insert(name.clone(), launcher(s, &name, &origin)?);
    }
    s.know_section("launchers")?;
    Ok(launchers)
}

fn launcher(s: &mut Sources<'_>, name: &str, origin: &Origin) -> Result<Launcher, ConfigError> {
    let key = |leaf: &str| format!("launchers.{name}.{leaf}");
    s.know_section(&format!("launchers.{name}"))?;
    let kind = s.optional(&keys(&[&key("kind")]), &KIND)?;
    let is_preset = KEYS.iter().any(|(kind, _)| *kind == name && name != COMMAND);
    let Some(kind) = kind.value.or_else(|| is_preset.then(|| name.to_owned())) else {
        return Err(unusable(origin, &key("kind"), "", KIND.wanted));
    };
    refuse_keys_of_others(s, name, &kind)?;
    let made = match kind.as_str() {
        BUBBLEWRAP => LauncherKind::Bubblewrap(bubblewrap(s, &key)?),
        SLURM => LauncherKind::Slurm(slurm(s, &key)?),
        COMMAND => LauncherKind::Command(Box::new(command(s, &key, origin)?)),
        _ => LauncherKind::Local,
    };
    Ok(Launcher {
        name: name.to_owned(),
        kind: made,
        checkout: s.optional(&keys(&[&key("checkout")]), &CHECKOUT_MODE)?.value,
        env: s.with_default(&keys(&[&key("env")]), &VARIABLES, Vec::new())?.value,
    })
}

/// A key that means nothing for this kind would be passed over in silence.
fn refuse_keys_of_others(s: &Sources<'_>, name: &str, kind: &str) -> Result<(), ConfigError> {
    let own = KEYS.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, keys)| *keys);
    for (leaf, origin) in s.names_below(&format!("launchers.{name}")) {
        let leaf = leaf.as_str();
        let other = KEYS.iter().find(|(_, keys)| keys.contains(&leaf)).map(|(kind, _)| *kind);
        if let Some(other) = other.filter(|_| !own.contains(&leaf) && !COMMON.contains(&leaf)) {
            let wanted = format!("it in a launcher of `kind: {other}` only; this one is of the kind {kind}");
            return Err(unusable(&origin, &format!("launchers.{name}.{leaf}"), "…", &wanted));
        }
    }
    Ok(())
}

fn bubblewrap(s: &mut Sources<'_>, key: &dyn Fn(&str) -> String) -> Result<Bubblewrap, ConfigError> {
    Ok(Bubblewrap {
        network: s.with_default(&keys(&[&key("network")]), &NETWORK, true)?.value,
        read: s.with_default(&keys(&[&key("read")]), &PATHS, Vec::new())?.value,
        write: s.with_default(&keys(&[&key("write")]), &PATHS, Vec::new())?.value,
    })
}

fn slurm(s: &mut Sources<'_>, key: &dyn Fn(&str) -> String) -> Result<Slurm, ConfigError> {
    Ok(Slurm {
        partition: s.optional(&keys(&[&key("partition")]), &WORD)?.value,
        account: s.optional(&keys(&[&key("account")]), &WORD)?.value,
        cpus: s.optional(&keys(&[&key("cpus")]), &COUNT)?.value,
        memory: s.optional(&keys(&[&key("memory")]), &MEMORY)?.value,
        gres: s.optional(&keys(&[&key("gres")]), &WORD)?.value,
        time: s.optional(&keys(&[&key("time")]), &TIME_ABOVE_ZERO)?.value,
        options: s.with_default(&keys(&[&key("options")]), &OPTIONS, Vec::new())?.value,
        namespace: s.with_default(&keys(&[&key("namespace")]), &SWITCH, false)?.value,
    })
}

fn command(s: &mut Sources<'_>, key: &dyn Fn(&str) -> String, origin: &Origin) -> Result<CommandLauncher, ConfigError> {
    let run = template(s, &key("run"), Purpose::Run)?;
    let Some(run) = run else {
        return Err(unusable(
            origin,
            &key("run"),
            "",
            "the command that is put before the agent's, as a list of words",
        ));
    };
    let ask = s.optional(&keys(&[&key("ask")]), &ASK)?;
    let ask = match ask.value {
        None => Ask::OwnSignal,
        Some(AskSetting::Signal(signal)) => Ask::Signal(signal),
        Some(AskSetting::Command(words)) => {
            let words = WithOrigin { value: words, origin: ask.origin };
            Ask::Command(parsed(&words, &key("ask"), Purpose::Ask)?)
        }
    };
    let stop = template(s, &key("stop"), Purpose::Look)?;
    let alive = s.optional(&keys(&[&key("alive")]), &ARGUMENTS)?;
    if stop.is_some() != alive.value.is_some() {
        let (leaf, other) = if stop.is_some() { ("alive", "stop") } else { ("stop", "alive") };
        let wanted = format!(
            "both `stop` and `alive`, or neither: `{other}` is there, and without `{leaf}` nothing tells \
             that an agent is gone"
        );
        return Err(unusable(origin, &key(leaf), "", &wanted));
    }
    Ok(CommandLauncher {
        run,
        ask,
        stop,
        alive: parsed_if_any(alive, &key("alive"), Purpose::Look)?,
        outcome: template(s, &key("outcome"), Purpose::Look)?,
        succeeds: s.with_default(&keys(&[&key("succeeds")]), &TEXT, "COMPLETED".into())?.value,
        waiting: template(s, &key("waiting"), Purpose::Look)?,
        start_failed: s.with_default(&keys(&[&key("start_failed")]), &CODES, Vec::new())?.value,
    })
}

fn template(s: &mut Sources<'_>, key: &str, purpose: Purpose) -> Result<Option<Template>, ConfigError> {
    let words = s.optional(&keys(&[key]), &ARGUMENTS)?;
    parsed_if_any(words, key, purpose)
}

fn parsed_if_any(
    words: WithOrigin<Option<Vec<String>>>,
    key: &str,
    purpose: Purpose,
) -> Result<Option<Template>, ConfigError> {
    let WithOrigin { value, origin } = words;
    value.map(|value| parsed(&WithOrigin { value, origin: origin.clone() }, key, purpose)).transpose()
}

fn parsed(words: &WithOrigin<Vec<String>>, key: &str, purpose: Purpose) -> Result<Template, ConfigError> {
    Template::parse(&words.value, purpose).map_err(|fault| match fault {
        TemplateFault::Empty => unusable(&words.origin, key, "", "a program and its arguments"),
        TemplateFault::Env => unusable(&words.origin, key, "{env}", "{env} as a word of its own"),
        TemplateFault::Unknown(place) => {
            let wanted = format!("what is known here: {}", purpose.places());
            unusable(&words.origin, key, &place, &wanted)
        }
    })
}

fn paths(paths: Vec<String>) -> Option<Vec<String>> {
    let is_path = |path: &String| {
        let below = path.strip_prefix('~').unwrap_or(path);
        below.starts_with('/') && !below.split('/').any(|part| part == "..") && !path.chars().any(char::is_control)
    };
    (paths.len() <= LIST_MAX && paths.iter().all(is_path)).then_some(paths)
}

fn options(words: Vec<String>) -> Option<Vec<String>> {
    (words.len() <= LIST_MAX && words.iter().all(|word| word.starts_with('-'))).then_some(words)
}

fn codes(texts: &[String]) -> Option<Vec<i32>> {
    let code = |text: &String| text.trim().parse().ok().filter(|code| (1..=255).contains(code));
    Some(texts).filter(|texts| texts.len() <= LIST_MAX)?.iter().map(code).collect()
}
