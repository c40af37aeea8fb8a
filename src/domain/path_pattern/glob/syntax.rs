//! The pieces of a glob: characters, classes, brace groups.

/// Why matching ended without an answer.
pub(super) enum Stop {
    /// Only possible where the validation is more lenient than the matching; counts as no match.
    Malformed,
    TooManySteps,
}

/// The first character of some text and its length. Pattern and name are valid UTF-8 and only cut at characters.
pub(super) fn decode(text: &[u8]) -> (char, usize) {
    let len = match text.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..) => 4,
        _ => 1,
    };
    let rune = text.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    (rune.unwrap_or(char::REPLACEMENT_CHARACTER), if text.is_empty() { 0 } else { len })
}

/// Matches the class at the start of the pattern against one character and returns its length if it does.
pub(super) fn class(pattern: &[u8], rune: char) -> Result<Option<usize>, Stop> {
    let mut at = 1;
    let negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    if negated {
        at += 1;
    }
    if matches!(pattern.get(at), None | Some(b']')) {
        return Err(Stop::Malformed);
    }
    let next = |at: &mut usize| {
        let (rune, len) = decode(pattern.get(*at..).unwrap_or_default());
        *at += len;
        rune
    };
    let mut found = false;
    let mut low = None;
    while !found && !matches!(pattern.get(at), None | Some(b']')) {
        let mut member = next(&mut at);
        match low.take() {
            Some(low) if member == '-' && !matches!(pattern.get(at), None | Some(b']')) => {
                if pattern[at] == b'\\' {
                    at += 1;
                }
                found = (low..=next(&mut at)).contains(&rune);
            }
            _ => {
                if member == '\\' {
                    member = next(&mut at);
                }
                found = member == rune;
                low = Some(member);
            }
        }
    }
    if found == negated {
        return if at >= pattern.len() { Err(Stop::Malformed) } else { Ok(None) };
    }
    let end = find_unescaped(&pattern[at.min(pattern.len())..], |byte| byte == b']').ok_or(Stop::Malformed)?;
    Ok(Some(at + end + 1))
}

fn find_unescaped(text: &[u8], mut wanted: impl FnMut(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == b'\\' {
            at += 1;
        } else if wanted(byte) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// A brace group: what is between its braces and what comes after it.
pub(super) struct Braces<'p> {
    inside: &'p [u8],
    pub(super) after: &'p [u8],
}

impl<'p> Braces<'p> {
    pub(super) fn at(pattern: &'p [u8], open: usize) -> Option<Self> {
        let rest = &pattern[open + 1..];
        let mut depth = 1;
        let close = find_unescaped(rest, |byte| {
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            depth == 0
        })?;
        Some(Self { inside: &rest[..close], after: &rest[close + 1..] })
    }

    /// The parts between the commas that are not in inner braces.
    pub(super) fn alternatives(&self) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        let mut rest = Some(self.inside);
        std::iter::from_fn(move || {
            let text = rest?;
            let mut depth = 0;
            let comma = find_unescaped(text, |byte| {
                depth += i32::from(byte == b'{') - i32::from(byte == b'}');
                depth == 0 && byte == b','
            });
            let end = comma.unwrap_or(text.len());
            rest = comma.map(|comma| &text[comma + 1..]);
            Some(&text[..end])
        })
    }
}

/// Whether brackets and braces are closed, classes not empty and the last backslash is followed by something.
pub(super) fn is_valid(pattern: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'\\' => {
                at += 1;
                if at >= pattern.len() {
                    return false;
                }
            }
            b'[' => {
                at += 1;
                if matches!(pattern.get(at), Some(b'^' | b'!')) {
                    at += 1;
                }
                if matches!(pattern.get(at), None | Some(b']')) {
                    return false;
                }
                match find_unescaped(&pattern[at..], |byte| byte == b']') {
                    Some(end) => at += end,
                    None => return false,
                }
            }
            b'{' => depth += 1,
            b'}' => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return false,
            },
            _ => {}
        }
        at += 1;
    }
    depth == 0
}
