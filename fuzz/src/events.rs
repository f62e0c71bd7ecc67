//! What must hold for any bytes that an agent writes as one event, however long, cut into any chunks.
//!
//! The fuzz target calls it with bytes that libFuzzer grows, and `pv-watcher/src/agent/bounded_json_tests.rs` with bytes
//! that proptest makes.

use serde_json::{Map, Value};

use super::bounded_json::BoundedJson;

/// Of an object this long nothing is left out, in bytes, unless it is nested deeper than [`SURE_DEPTH`].
const SURE_BYTES: usize = 2048;

/// How deep an object may be nested of which nothing is left out.
const SURE_DEPTH: usize = 5;

/// Returns what is kept of bytes that come in chunks of so many.
pub fn kept(bytes: &[u8], chunk: usize) -> Option<Map<String, Value>> {
    let mut object = BoundedJson::new();
    bytes.chunks(chunk.max(1)).for_each(|chunk| object.take(chunk));
    object.finish()
}

/// What is kept is what `serde_json` reads, or a part of it; the chunks do not matter.
pub fn bounded_json(bytes: &[u8]) {
    let whole = kept(bytes, bytes.len());
    for chunk in [1, 7, bytes.len() / 2] {
        assert_eq!(kept(bytes, chunk), whole, "in chunks of {chunk} bytes");
    }
    match (serde_json::from_slice::<Map<String, Value>>(bytes), whole) {
        (Ok(read), Some(kept)) if bytes.len() <= SURE_BYTES && depth(bytes) <= SURE_DEPTH => {
            assert_eq!(kept, read);
        }
        (Ok(read), Some(kept)) => {
            assert!(is_part(&kept.into(), &read.into()), "more is kept than there was");
        }
        (Ok(_), None) => panic!("an object was refused"),
        (Err(error), Some(_)) => {
            assert!(bytes.len() > SURE_BYTES || depth(bytes) > SURE_DEPTH, "it is none: {error}");
        }
        (Err(_), None) => {}
    }
}

/// How deep brackets are nested, at most: those in strings count, too.
fn depth(bytes: &[u8]) -> usize {
    let open = |depth: &mut usize, byte: &u8| {
        match byte {
            b'{' | b'[' => *depth += 1,
            b'}' | b']' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    };
    bytes.iter().scan(0, open).max().unwrap_or(0)
}

fn is_part(kept: &Value, whole: &Value) -> bool {
    match (kept, whole) {
        (Value::Object(kept), Value::Object(whole)) => {
            kept.iter().all(|(key, kept)| whole.get(key).is_some_and(|whole| is_part(kept, whole)))
        }
        (Value::Array(kept), Value::Array(whole)) => {
            kept.len() <= whole.len() && kept.iter().zip(whole).all(|(kept, whole)| is_part(kept, whole))
        }
        (Value::String(kept), Value::String(whole)) => {
            kept == whole || kept.rsplit_once("\n[pv: ").is_some_and(|(kept, _)| whole.starts_with(kept))
        }
        _ => kept == whole,
    }
}
