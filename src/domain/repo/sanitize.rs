//! Removes what cannot be seen from a URL, and lowers its case.
//!
//! Owns the two text operations Kargo applies before it looks at a URL at all: `SanitizeURL` of
//! its `pkg/urls`, which keeps what Go's `unicode.IsPrint` accepts, and Go's `strings.ToLower`.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Everything Go does not print: letters, marks, numbers, punctuation, symbols and the ASCII space
/// are what it does. Go's tables are those of Unicode 15; later characters are unknown to it,
/// hence unprintable.
static UNPRINTABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|[^\p{Age=15.0}])+").expect("the pattern is constant and valid")
});

/// Removes unprintable characters anywhere and spaces at both ends; inner spaces stay.
pub(super) fn sanitize(url: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    if url.bytes().all(is_plain) {
        return Cow::Borrowed(url.trim_matches(' '));
    }
    let printable = UNPRINTABLE.replace_all(url, "");
    Cow::Owned(printable.trim_matches(' ').to_owned())
}

/// Sanitises and lowers the case. Kargo does it in the other order, which comes to the same: only
/// printable characters have a lower case, and it is printable; and this way a lower case newer
/// than Go's tables is never applied.
pub(super) fn sanitize_lower(url: &str) -> String {
    lower(&sanitize(url))
}

/// Lowers one character at a time to exactly one character, as Go does, blind to context: a final
/// sigma is like any other, `İ` becomes `i`.
fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::{sanitize, sanitize_lower};

    #[test]
    fn invisible_characters_and_outer_spaces_are_removed() {
        for input in [
            "https://example.com/repo",
            "  https://example.com/repo  ",
            "\n\thttps://example.com/repo\t\n",
            "\u{FEFF}https://example.com/repo",
            "https://example.com/\u{200B}repo",
            "https://example.com/repo\u{FEFF}",
            "\u{FEFF} https://example.com/\u{200B}repo \u{FEFF}",
            "\u{FEFF} \n https://example.com/\trepo \u{200B} \n ",
        ] {
            assert_eq!(sanitize(input), "https://example.com/repo", "{input:?}");
        }
    }

    #[test]
    fn blank_input_becomes_empty() {
        for input in ["", "   ", "\t\n", "\u{3000}", "\u{7F}"] {
            assert_eq!(sanitize(input), "", "{input:?}");
        }
    }

    #[test]
    fn inner_ascii_spaces_and_other_schemes_stay() {
        for input in ["https://example.com/ myrepo", "ftp://example.com/resource"] {
            assert_eq!(sanitize(input), input);
        }
    }

    #[test]
    fn odd_spaces_soft_hyphens_and_private_use_are_removed_anywhere() {
        assert_eq!(sanitize("a\u{A0}b\u{3000}c\u{AD}d\u{E000}e\u{2028}f"), "abcdef");
        assert_eq!(sanitize("é\u{301}Ⅻ€„"), "é\u{301}Ⅻ€„");
    }

    #[test]
    fn characters_newer_than_the_tables_of_go_are_unprintable() {
        assert_eq!(sanitize_lower("x\u{A7CB}y"), "xy");
    }

    #[test]
    fn lower_case_is_taken_character_by_character() {
        assert_eq!(sanitize_lower("İSTANBUL ΣΑΣ ẞ K"), "istanbul σασ ß k");
    }
}
