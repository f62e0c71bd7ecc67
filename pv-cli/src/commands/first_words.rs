//! A title for a prompt that names none.

/// The longest title that is made of a text's first words, in characters.
const TITLE_CHARS_MAX: usize = 60;

/// Returns a title for a prompt that names none: its first words.
pub(super) fn title(text: &[u8]) -> Option<String> {
    let parsed = pv_lib::prompt::check(text, u64::MAX).ok()?;
    if parsed.title.is_some() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let body = pv_lib::prompt::split(text).ok()?.body;
    let line = body.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut title = String::new();
    for word in line.split_whitespace() {
        if !title.is_empty() && title.chars().count() + 1 + word.chars().count() > TITLE_CHARS_MAX {
            break;
        }
        title = if title.is_empty() { word.chars().take(TITLE_CHARS_MAX).collect() } else { format!("{title} {word}") };
    }
    Some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_the_first_words_where_the_prompt_names_none() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(title(text.as_bytes()).as_deref(), expected, "{text}");
        check("mend the failing test", Some("mend the failing test"));
        check("\n  two\tlines\nof text", Some("two lines"));
        check("# Heading\ntext", None);
        check("---\npv: {title: Mine}\n---\ntext", None);
        check("---\nx: 1\n---\ntext", Some("text"));
        check(" ", None);
        let long = title("word ".repeat(40).as_bytes()).unwrap();
        assert!(long.len() <= 60 && long.ends_with("word"), "{long}");
        assert_eq!(title("x".repeat(200).as_bytes()).unwrap().len(), 60);
    }
}
