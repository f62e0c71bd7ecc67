//! What each crate allows: which of its layers may name which, and which circles stay.

/// A layer of a crate: a folder of its `src`, or a file directly in it, and which others it may name. The root, which
/// is called nothing, is `lib.rs` or `main.rs`.
pub(super) type Layer<'a> = (&'a str, &'a [&'a str]);

/// What the files of a crate must keep to.
pub(super) struct Rules {
    /// The crate's folder.
    pub(super) name: &'static str,
    /// From the lowest to the highest: a layer names only those above it in its table.
    pub(super) layers: &'static [Layer<'static>],
    /// Edges that lead up all the same, each for a reason.
    pub(super) upward: &'static [(&'static str, &'static str)],
    /// Circles of files that stay, sorted.
    pub(super) circles: &'static [&'static [&'static str]],
    /// The folders whose `mod.rs` defines something, where it should only declare and re-export.
    pub(super) defining: &'static [&'static str],
    /// How many files may lie directly in `src`.
    pub(super) loose_max: usize,
}

/// Every crate that is checked.
pub(super) const CRATES: &[Rules] = &[PV_LIB, PV_WATCHER, PV_HTTP, PV_CLI];

pub(super) const PV_LIB: Rules = Rules {
    name: "pv-lib",
    layers: &[
        // Values and pure decisions.
        ("time", &[]),
        ("text", &[]),
        ("target", &[]),
        ("limits", &[]),
        ("job", &["limits", "target", "time"]),
        ("layout", &["job", "target"]),
        ("inbox_tree", &["target"]),
        ("error", &["job", "limits", "target"]),
        ("prompt", &["error", "job", "target", "text", "time"]),
        // Procedures, which take a file system, processes and the time.
        ("fs", &["error", "time"]),
        ("supervise", &["job"]),
        ("config", &["error", "fs", "inbox_tree", "job", "layout", "limits", "prompt", "target", "time"]),
        ("store", &["error", "fs", "inbox_tree", "job", "layout", "limits", "prompt", "target", "time"]),
        // The JSON that the shells show.
        ("api", &["error", "inbox_tree", "job", "store", "time"]),
        // What only shells call.
        ("host", &["job", "time"]),
        ("", &[]),
    ],
    upward: &[],
    circles: &[],
    defining: &[],
    loose_max: 8,
};

const PV_WATCHER: Rules = Rules {
    name: "pv-watcher",
    layers: &[
        ("environment", &[]),
        ("plan", &["environment"]),
        ("process", &[]),
        ("git", &["environment", "process"]),
        ("clone", &["git"]),
        ("launcher", &["process"]),
        ("session", &["git", "launcher", "plan", "process"]),
        ("agent", &["launcher", "process", "session"]),
        ("delivery", &["environment", "git", "plan", "process", "session"]),
        ("verification", &["agent", "launcher", "process", "session"]),
        ("supervisor", &["agent", "delivery", "git", "plan", "process", "session", "verification"]),
        ("watch", &["git", "launcher", "process"]),
        ("checkup", &["agent", "git", "launcher", "plan", "process"]),
        ("", &[]),
    ],
    upward: &[],
    circles: &[],
    defining: &[],
    loose_max: 3,
};

const PV_HTTP: Rules = Rules {
    name: "pv-http",
    layers: &[
        ("settings", &[]),
        ("client", &[]),
        ("openapi", &[]),
        ("context", &["openapi", "settings"]),
        ("query", &["context", "openapi"]),
        ("access", &["openapi"]),
        ("server", &["openapi"]),
        ("streams", &["context", "openapi", "query"]),
        ("state", &["access", "context", "query", "settings", "streams"]),
        ("api", &["context", "openapi", "query", "settings", "state", "streams"]),
        ("metrics", &["api", "context", "openapi", "query", "streams"]),
        ("page", &["access", "api", "client", "openapi", "server", "settings"]),
        ("app", &["access", "api", "metrics", "openapi", "page", "server", "state"]),
        ("service", &["app", "server", "settings", "state"]),
        ("", &[]),
    ],
    upward: &[],
    circles: &[],
    defining: &[],
    loose_max: 8,
};

const PV_CLI: Rules = Rules {
    name: "pv-cli",
    layers: &[
        ("version", &[]),
        ("exit", &[]),
        ("terminal", &[]),
        ("render", &["exit", "terminal"]),
        ("context", &["exit"]),
        ("services", &["context", "exit", "terminal", "version"]),
        ("background", &["context", "exit"]),
        ("backend", &["context", "exit", "services"]),
        ("checkup", &["background", "context", "render", "services", "version"]),
        (
            "commands",
            &[
                "args",
                "backend",
                "background",
                "checkup",
                "context",
                "exit",
                "installation",
                "render",
                "services",
                "terminal",
                "version",
            ],
        ),
        ("installation", &["checkup", "commands", "context", "exit", "services"]),
        ("args", &["commands", "context", "exit", "version"]),
        ("", &["args", "commands"]),
    ],
    upward: &[
        // What the command line is, is printed by two of its commands.
        ("commands", "args"),
        // The API's command shows what `pv config` and `pv doctor` print.
        ("commands", "installation"),
    ],
    circles: &[
        // A command enum names its commands, and two of those print what the enum is.
        &["args", "commands::completions", "commands::man"],
    ],
    defining: &["commands"],
    loose_max: 9,
};
