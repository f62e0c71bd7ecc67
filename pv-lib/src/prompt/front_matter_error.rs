//! What can be wrong with front matter, and the limits that it is held to.

/// The most bytes that a person may write between the `---` lines.
pub const MAX_FRONT_MATTER_BYTES: usize = 64 << 10;

/// How deep collections may nest.
pub(super) const MAX_DEPTH: usize = 64;
/// How many values a text may stand for once its aliases are followed.
pub(super) const MAX_EXPANDED_NODES: usize = 100_000;

/// Front matter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontMatterError {
    /// There is no closing line.
    #[error(
        "front matter is unterminated: the first line is `---`, and no later line is; close it, or begin with another line"
    )]
    Unterminated,
    /// It is too long.
    #[error("front matter has {0} bytes, and {MAX_FRONT_MATTER_BYTES} are allowed: move text below it")]
    TooLarge(usize),
    /// It is no YAML.
    #[error("front matter is not valid YAML: line {line}: {why}")]
    Invalid {
        /// The line of the prompt, counted from 1.
        line: usize,
        /// What the parser says.
        why: String,
    },
    /// It nests too deeply.
    #[error("front matter is nested too deeply at line {line}: {} levels are allowed", MAX_DEPTH)]
    TooDeep {
        /// The line of the prompt, counted from 1.
        line: usize,
    },
    /// Its aliases stand for too much.
    #[error("front matter repeats too much through aliases (line {line}): {} values are allowed", MAX_EXPANDED_NODES)]
    TooManyAliases {
        /// The line of the prompt, counted from 1.
        line: usize,
    },
    /// A key stands twice in one mapping.
    #[error("front matter has the key `{key}` twice (line {line}): remove one")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the second, counted from 1.
        line: usize,
    },
    /// It is a list or a text.
    #[error("front matter must be a mapping of keys to values, such as `title: …`")]
    NotAMapping,
    /// `pv` is a list or a text.
    #[error("front matter: `pv` must be a mapping of settings, written out, such as `pv: {{agent: codex}}`")]
    PvNotAMapping,
    /// A setting has a value that cannot be used.
    #[error("front matter: pv.{key}: {why}")]
    BadSetting {
        /// The key under `pv`.
        key: &'static str,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// It cannot be changed without touching what is not ours.
    #[error(
        "front matter: keys cannot be added to `pv` as it is written: put each key on its own line, indented with spaces"
    )]
    CannotEdit,
}
