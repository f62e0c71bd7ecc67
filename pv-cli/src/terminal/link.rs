//! Links (OSC 8): text that a terminal opens.

use std::fmt::Write;

use super::Terminal;

/// The longest address that becomes a link, in bytes: what terminals with links take for sure.
const ADDRESS_BYTES_MAX: usize = 2048;

/// Returns a text that opens an address, where the terminal has links and it is one for a browser; else the text.
pub(crate) fn linked(terminal: Terminal, text: &str, address: &str) -> String {
    let is_page = address.starts_with("https://") || address.starts_with("http://");
    if !terminal.links || !is_page || address.len() > ADDRESS_BYTES_MAX {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'!'..=b'~' => safe.push(char::from(byte)),
            // Writing to a String does not fail.
            _ => drop(write!(safe, "%{byte:02X}")),
        }
    }
    format!("\x1b]8;;{safe}\x1b\\{text}\x1b]8;;\x1b\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_a_page_and_holds_nothing_that_ends_it() {
        let on = Terminal { width: Some(80), colours: false, links: true, redraws: false };
        let check = |address: &str, expected: &str| assert_eq!(linked(on, "x", address), expected, "{address:?}");
        check("https://h/o/r/pull/7", "\x1b]8;;https://h/o/r/pull/7\x1b\\x\x1b]8;;\x1b\\");
        check("http://h/ä\x1b\\ y", "\x1b]8;;http://h/%C3%A4%1B\\%20y\x1b\\x\x1b]8;;\x1b\\");
        check("file:///etc/passwd", "x");
        check("javascript:alert(1)", "x");
        check(&format!("https://h/{}", "a".repeat(3000)), "x");
        assert_eq!(linked(Terminal { links: false, ..on }, "x", "https://h"), "x");
    }
}
