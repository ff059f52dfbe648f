//! Makes text safe to print on a terminal, whoever wrote it.

use crate::repo::is_unprintable;

/// Returns text that is safe on a terminal. Line feeds and tabs stay. Other control characters, and
/// those that reorder or hide text, become escapes.
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => safe.push(c),
            c if is_unprintable(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// Returns JSON that is safe on a terminal and means the same. Such characters occur only inside
/// strings, where JSON can escape them.
pub fn clean_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if !is_unprintable(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            safe.push_str(&format!("\\u{unit:04x}"));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_text_around_is_printed() {
        let hostile = "a\u{1b}[31mb\r\u{9b}2J\u{202e}c\u{2066}d\u{7f}\u{0}e\u{200b}";
        let safe = clean(hostile);
        assert!(safe.chars().all(|c| c.is_ascii_graphic()), "{safe:?}");
        assert_eq!(clean("plain\n\tשלום é"), "plain\n\tשלום é");

        let json = serde_json::to_string(&format!("{hostile}\u{2028}\u{e0041}é\"\\")).unwrap();
        let safe = clean_json(&json);
        assert!(
            safe.chars().all(|c| c.is_ascii_graphic() || c == 'é'),
            "{safe:?}"
        );
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            format!("{hostile}\u{2028}\u{e0041}é\"\\")
        );
    }
}
