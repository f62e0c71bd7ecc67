//! One JSON object of any length, read in chunks as they arrive, of which a bounded part is kept.
//!
//! The event that says how a turn ended may be longer than what we want to hold in memory, and its verdict must not
//! depend on that. `serde_json` reads a whole slice, or blocks on a reader until the object has ended; neither fits bytes
//! that arrive whenever an agent writes. So the grammar is kept here, by a small state machine. Each string, number and
//! literal that is kept is still decoded by `serde_json`.
//!
//! What is kept: every small value of the object and of the objects in it, as long as there is room; of a long string its
//! beginning, with a mark; of a long list its beginning. Whatever one value needs, half of the room of its object stays
//! for the others: so what comes after a long text is kept, too. The grammar of what is left out is checked only so far
//! that its end is found.

use serde_json::{Map, Value};

/// How much memory the kept part may take, in bytes.
const ROOM_BYTES: usize = 512 * 1024;

/// What any value takes in memory besides its text, in bytes, at least.
const VALUE_BYTES: usize = 64;

/// What an object or a list takes in memory besides what is in it, in bytes, at least.
const CONTAINER_BYTES: usize = 640;

/// A string up to this length may take all the room that is left, in bytes; a longer one takes half of it at most, and
/// is left out where that is less than this.
const SMALL_BYTES: usize = 256;

/// The longest key, and the longest number, in bytes; the value of a longer key, and a longer number, is left out.
const TOKEN_BYTES: usize = 1024;

/// How many objects and lists may be open at once: as many as `serde_json` allows.
const DEPTH: usize = 127;

/// How many bytes at the end of a string that was cut may be a part of one character: two escapes of six bytes.
const CHARACTER_BYTES: usize = 12;

/// A JSON object that is being read.
#[derive(Debug)]
pub(super) struct BoundedJson {
    state: State,
    /// What is open, from the outside in.
    open: Vec<Container>,
    /// The string, number or literal that is being read, a string with its first quote.
    token: Vec<u8>,
    /// How much of it is kept, in bytes.
    token_limit: usize,
    /// How much of it was left out, in bytes.
    token_cut: u64,
    /// The object, once it has ended.
    done: Option<Map<String, Value>>,
}

/// What must come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    String {
        is_key: bool,
        is_escape: bool,
    },
    Scalar,
    Nothing,
    /// This is no JSON object.
    Failed,
}

#[derive(Debug)]
struct Container {
    content: Content,
    /// The room that it was given, and what is left of it, in bytes.
    room: usize,
    left: usize,
}

#[derive(Debug)]
enum Content {
    Object {
        map: Map<String, Value>,
        key: Option<String>,
    },
    /// A list that keeps nothing more once an element was left out, so that the others are in their places.
    List {
        items: Vec<Value>,
        is_full: bool,
    },
    LeftOutObject,
    LeftOutList,
}

impl BoundedJson {
    pub(super) fn new() -> Self {
        Self { state: State::Value, open: Vec::new(), token: Vec::new(), token_limit: 0, token_cut: 0, done: None }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let taken = match self.state {
                State::Failed => return,
                State::String { is_key, is_escape } => self.string(rest, is_key, is_escape),
                State::Scalar => self.scalar(rest),
                _ => {
                    if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                        self.punctuation(byte);
                    }
                    // A number or a literal begins with this byte.
                    usize::from(self.state != State::Scalar)
                }
            };
            rest = &rest[taken..];
        }
    }

    /// Returns what is kept of the object; `None` where the bytes were no JSON object.
    pub(super) fn finish(self) -> Option<Map<String, Value>> {
        self.done.filter(|_| self.state == State::Nothing)
    }

    fn punctuation(&mut self, byte: u8) {
        let in_object = self.open.last().is_some_and(Container::is_object);
        self.state = match (self.state, byte) {
            (State::Key | State::KeyOrEnd, b'"') => self.begin_string(true),
            (State::Value | State::ValueOrEnd, b'"') if !self.open.is_empty() => self.begin_string(false),
            (State::Value | State::ValueOrEnd, b'{') => self.begin_container(true),
            (State::Value | State::ValueOrEnd, b'[') if !self.open.is_empty() => self.begin_container(false),
            (State::Value | State::ValueOrEnd, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') if !self.open.is_empty() => {
                self.begin_token(TOKEN_BYTES);
                State::Scalar
            }
            (State::Colon, b':') => State::Value,
            (State::CommaOrEnd, b',') => {
                if in_object {
                    State::Key
                } else {
                    State::Value
                }
            }
            (State::KeyOrEnd, b'}') => self.end_container(),
            (State::ValueOrEnd, b']') => self.end_container(),
            (State::CommaOrEnd, b'}') if in_object => self.end_container(),
            (State::CommaOrEnd, b']') if !in_object => self.end_container(),
            _ => State::Failed,
        };
    }

    fn begin_token(&mut self, limit: usize) {
        self.token.clear();
        (self.token_limit, self.token_cut) = (limit, 0);
    }

    fn begin_string(&mut self, is_key: bool) -> State {
        let left = self.open.last().map_or(0, Container::room_for_value).saturating_sub(VALUE_BYTES);
        let limit = if is_key { TOKEN_BYTES } else { (left / 2).max(left.min(SMALL_BYTES)) };
        self.begin_token(limit);
        self.token.push(b'"');
        State::String { is_key, is_escape: false }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.token_limit.saturating_sub(self.token.len()));
        self.token.extend(&bytes[..kept]);
        self.token_cut += (bytes.len() - kept) as u64;
    }

    fn string(&mut self, rest: &[u8], is_key: bool, is_escape: bool) -> usize {
        if is_escape {
            self.keep(&rest[..1]);
            self.state = State::String { is_key, is_escape: false };
            return 1;
        }
        let Some(end) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            self.keep(rest);
            return rest.len();
        };
        self.keep(&rest[..end]);
        if rest[end] == b'\\' {
            self.keep(b"\\");
            self.state = State::String { is_key, is_escape: true };
        } else {
            self.end_string(is_key);
        }
        end + 1
    }

    fn end_string(&mut self, is_key: bool) {
        let text = if self.token_cut == 0 { decoded(&mut self.token) } else { self.cut_string(is_key) };
        self.state = match text {
            None => State::Failed,
            Some(text) if is_key => {
                if let Some(Container { content: Content::Object { key, .. }, .. }) = self.open.last_mut() {
                    *key = text;
                }
                State::Colon
            }
            Some(text) => {
                self.put(text.map(Value::String));
                State::CommaOrEnd
            }
        };
    }

    /// Returns the beginning of a string that was cut, with a mark, or nothing where it is left out.
    fn cut_string(&mut self, is_key: bool) -> Option<Option<String>> {
        if is_key || self.token_limit < SMALL_BYTES {
            return Some(None);
        }
        let end = self.token.len();
        let cuts = (1..=end).rev().take(CHARACTER_BYTES + 1);
        let text = cuts.into_iter().find_map(|end| {
            self.token.truncate(end);
            decoded(&mut self.token).flatten()
        })?;
        let cut = self.token_cut + (end - self.token.len().saturating_sub(1)) as u64;
        Some(Some(format!("{text}\n[pv: {cut} bytes are left out here; they are in agent.jsonl]")))
    }

    fn scalar(&mut self, rest: &[u8]) -> usize {
        let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let end = rest.iter().position(|byte| !belongs(byte));
        self.keep(&rest[..end.unwrap_or(rest.len())]);
        if end.is_some() {
            let value = if self.token_cut == 0 { serde_json::from_slice(&self.token).map(Some) } else { Ok(None) };
            self.state = match value {
                Ok(value) => {
                    self.put(value);
                    State::CommaOrEnd
                }
                Err(_) => State::Failed,
            };
        }
        end.unwrap_or(rest.len())
    }

    fn begin_container(&mut self, is_object: bool) -> State {
        if self.open.len() == DEPTH {
            return State::Failed;
        }
        let room = self.open.last().map_or(2 * ROOM_BYTES, Container::room_for_value) / 2;
        let content = match (room > CONTAINER_BYTES, is_object) {
            (true, true) => Content::Object { map: Map::new(), key: None },
            (true, false) => Content::List { items: Vec::new(), is_full: false },
            (false, true) => Content::LeftOutObject,
            (false, false) => Content::LeftOutList,
        };
        self.open.push(Container { content, room, left: room.saturating_sub(CONTAINER_BYTES) });
        if is_object { State::KeyOrEnd } else { State::ValueOrEnd }
    }

    fn end_container(&mut self) -> State {
        let Some(Container { content, room, left }) = self.open.pop() else { return State::Failed };
        let value = match content {
            Content::Object { map, .. } if self.open.is_empty() => {
                self.done = Some(map);
                return State::Nothing;
            }
            Content::Object { map, .. } => Some(Value::Object(map)),
            Content::List { items, .. } => Some(Value::Array(items)),
            Content::LeftOutObject | Content::LeftOutList => None,
        };
        self.put_sized(value, room - left);
        State::CommaOrEnd
    }

    fn put(&mut self, value: Option<Value>) {
        let len = value.as_ref().and_then(Value::as_str).map_or(0, str::len);
        self.put_sized(value, VALUE_BYTES + len);
    }

    /// Puts a value into what is open, where there is one and it has room.
    fn put_sized(&mut self, value: Option<Value>, bytes: usize) {
        let Some(Container { content, left, .. }) = self.open.last_mut() else { return };
        match content {
            Content::Object { map, key } => {
                let key = key.take();
                let bytes = bytes + key.as_ref().map_or(0, String::len);
                if let (Some(key), Some(value), Some(after)) = (key, value, left.checked_sub(bytes)) {
                    map.insert(key, value);
                    *left = after;
                }
            }
            Content::List { items, is_full } => match (value, left.checked_sub(bytes)) {
                (Some(value), Some(after)) if !*is_full => {
                    items.push(value);
                    *left = after;
                }
                _ => *is_full = true,
            },
            Content::LeftOutObject | Content::LeftOutList => {}
        }
    }
}

impl Container {
    fn is_object(&self) -> bool {
        matches!(self.content, Content::Object { .. } | Content::LeftOutObject)
    }

    /// Returns the room for the value that comes next; none where it is left out in any case.
    fn room_for_value(&self) -> usize {
        match &self.content {
            Content::Object { key: Some(key), .. } => self.left.saturating_sub(key.len()),
            Content::List { is_full: false, .. } => self.left,
            _ => 0,
        }
    }
}

/// Decodes a string that has its first quote; `None` where it is none.
fn decoded(token: &mut Vec<u8>) -> Option<Option<String>> {
    token.push(b'"');
    serde_json::from_slice(token).ok().map(Some)
}
