//! Text from outside, without characters that a terminal would act on.

/// Returns the text without characters that are unsafe to print. Keeps line feeds and tabs.
///
/// See [`is_unprintable`].
pub fn clean_text(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !is_unprintable(*c))
        .collect()
}

/// Whether a character must not reach a terminal: a control character, or a character that
/// reorders, breaks or hides text.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_to_print_holds_no_control_or_direction_characters() {
        assert_eq!(
            clean_text("a\u{1b}[31mb\u{202e}c\r\u{200b}\td\n\u{9b}"),
            "a[31mbc\td\n"
        );
    }
}
