//! What a prompt is about, in a line: its first heading.

/// How much of a text is searched for a heading, in bytes.
const TITLE_SEARCH_BYTES: usize = 64 << 10;
const MAX_TITLE_CHARS: usize = 200;

/// Returns the first heading of a text, outside code blocks, as one line.
pub(super) fn title(body: &str) -> Option<String> {
    let start = &body[..body.floor_char_boundary(TITLE_SEARCH_BYTES)];
    let mut fence: Option<&str> = None;
    for line in start.lines() {
        let line = line.trim_start_matches(' ');
        let marker = ["```", "~~~"].into_iter().find(|marker| line.starts_with(marker));
        match (fence, marker) {
            (None, Some(marker)) => fence = Some(marker),
            (Some(open), Some(marker)) if open == marker => fence = None,
            (None, None) => {
                if let Some(heading) = heading(line) {
                    return Some(heading);
                }
            }
            _ => {}
        }
    }
    None
}

fn heading(line: &str) -> Option<String> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    if !(1..=6).contains(&level) || !text.starts_with([' ', '\t']) {
        return None;
    }
    let title = one_line(text);
    let without_closing = title.trim_end_matches('#');
    let closed = without_closing.is_empty() || without_closing.ends_with(' ');
    let title = if closed { without_closing.trim_end() } else { &title };
    (!title.is_empty()).then(|| title.to_owned())
}

/// Returns a text with every run of blanks as one, and cut.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(MAX_TITLE_CHARS).collect()
}
