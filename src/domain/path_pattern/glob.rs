//! Globs as doublestar 4.10 matches them.
//!
//! The matcher walks pattern and name side by side and remembers the last `*` and the last `**` to go back to. That is
//! the library's procedure rather than an equivalent automaton, because its answers in the corners depend on it: when
//! `**` counts as a whole segment, when `{` is looked at, how a class ends.

use super::PathPatternError;

/// Brace groups in one pattern; each is a level of recursion.
pub(super) const MAX_BRACES: usize = 64;
/// Steps after which matching gives up. Ordinary patterns need fewer than a hundred times the length of the path.
const MAX_STEPS: usize = 100_000;

#[derive(Clone, Debug)]
pub(super) struct Glob(Box<str>);

impl Glob {
    pub(super) fn parse(pattern: &str) -> Result<Self, PathPatternError> {
        if !is_valid(pattern.as_bytes()) {
            return Err(PathPatternError::MalformedGlob);
        }
        if pattern.bytes().filter(|byte| *byte == b'{').count() > MAX_BRACES {
            return Err(PathPatternError::TooManyBraces);
        }
        Ok(Self(pattern.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole name matches; `None` when that takes too many steps to find out.
    pub(super) fn decide(&self, name: &str) -> Option<bool> {
        let mut matcher = Matcher { name: name.as_bytes(), steps: 0 };
        match matcher.walk(self.0.as_bytes(), Position::default()) {
            Ok(matched) => Some(matched),
            Err(Stop::Malformed) => Some(false),
            Err(Stop::TooManySteps) => None,
        }
    }
}

/// Why matching ended without an answer.
enum Stop {
    /// Only possible where the validation is more lenient than the matching; counts as no match.
    Malformed,
    TooManySteps,
}

/// Where to continue after a dead end.
#[derive(Clone, Copy)]
struct Resume {
    pattern: usize,
    name: usize,
}

#[derive(Clone, Copy, Default)]
struct Position {
    pattern: usize,
    name: usize,
    star: Option<Resume>,
    double_star: Option<Resume>,
}

struct Matcher<'n> {
    name: &'n [u8],
    steps: usize,
}

impl Matcher<'_> {
    fn count(&mut self, steps: usize) -> Result<(), Stop> {
        self.steps += steps;
        if self.steps > MAX_STEPS { Err(Stop::TooManySteps) } else { Ok(()) }
    }

    fn walk(&mut self, pattern: &[u8], mut at: Position) -> Result<bool, Stop> {
        let mut segment_start = true;
        while at.name < self.name.len() {
            self.count(1)?;
            let (name_rune, name_len) = decode(&self.name[at.name..]);
            let consumed = match pattern.get(at.pattern) {
                None => None,
                Some(b'*') => {
                    at.pattern += 1;
                    if pattern.get(at.pattern) == Some(&b'*') {
                        at.pattern += 1;
                        match pattern.get(at.pattern) {
                            None if segment_start => return Ok(true),
                            Some(b'/') if segment_start => {
                                at.pattern += 1;
                                at.double_star = Some(Resume { pattern: at.pattern, name: at.name });
                                at.star = None;
                                continue;
                            }
                            // Anywhere else two stars are one.
                            _ => {}
                        }
                    }
                    segment_start = false;
                    at.star = Some(Resume { pattern: at.pattern, name: at.name });
                    continue;
                }
                Some(b'?') => (name_rune != '/').then_some((1, false)),
                Some(b'[') => class(&pattern[at.pattern..], name_rune)?.map(|len| (len, false)),
                Some(b'{') => return self.alternatives(pattern, at),
                Some(byte) => {
                    let escape = usize::from(*byte == b'\\');
                    if escape == 1 && pattern.len() == at.pattern + 1 {
                        return Err(Stop::Malformed);
                    }
                    let (rune, len) = decode(&pattern[at.pattern + escape..]);
                    (rune == name_rune).then_some((escape + len, rune == '/'))
                }
            };
            if let Some((len, is_separator)) = consumed {
                at.pattern += len;
                at.name += name_len;
                segment_start = is_separator;
                continue;
            }
            match self.backtrack(&mut at) {
                Some(at_segment_start) => segment_start = at_segment_start,
                None => return Ok(false),
            }
        }
        self.matches_nothing(&pattern[at.pattern..])
    }

    /// Lets the last star take one character more, or else the last double star one segment more. Tells whether a
    /// segment begins there; `None` when neither is possible.
    fn backtrack(&self, at: &mut Position) -> Option<bool> {
        if let Some(star) = &mut at.star {
            let (rune, len) = decode(&self.name[star.name..]);
            if rune != '/' {
                star.name += len;
                (at.pattern, at.name) = (star.pattern, star.name);
                return Some(false);
            }
        }
        let double_star = at.double_star.as_mut()?;
        let separator = self.name[double_star.name..].iter().position(|byte| *byte == b'/')?;
        double_star.name += separator + 1;
        (at.pattern, at.name) = (double_star.pattern, double_star.name);
        Some(true)
    }

    /// Tries each alternative in place of the braces, with everything in front of them matched already.
    fn alternatives(&mut self, pattern: &[u8], at: Position) -> Result<bool, Stop> {
        let braces = Braces::at(pattern, at.pattern).ok_or(Stop::Malformed)?;
        for alternative in braces.alternatives() {
            let replaced = [&pattern[..at.pattern], alternative, braces.after].concat();
            self.count(1 + replaced.len() / 16)?;
            if self.walk(&replaced, at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether what is left of a pattern matches the end of a name.
    fn matches_nothing(&mut self, pattern: &[u8]) -> Result<bool, Stop> {
        match pattern {
            b"" | b"*" | b"**" | b"/**" | b"**/" | b"/**/" => Ok(true),
            [b'{', ..] => {
                let braces = Braces::at(pattern, 0).ok_or(Stop::Malformed)?;
                for alternative in braces.alternatives() {
                    let replaced = [alternative, braces.after].concat();
                    self.count(1 + replaced.len() / 16)?;
                    if self.matches_nothing(&replaced)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// The first character of some text and its length. Pattern and name are valid UTF-8 and only cut at characters.
fn decode(text: &[u8]) -> (char, usize) {
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
fn class(pattern: &[u8], rune: char) -> Result<Option<usize>, Stop> {
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
struct Braces<'p> {
    inside: &'p [u8],
    after: &'p [u8],
}

impl<'p> Braces<'p> {
    fn at(pattern: &'p [u8], open: usize) -> Option<Self> {
        let rest = &pattern[open + 1..];
        let mut depth = 1;
        let close = find_unescaped(rest, |byte| {
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            depth == 0
        })?;
        Some(Self { inside: &rest[..close], after: &rest[close + 1..] })
    }

    /// The parts between the commas that are not in inner braces.
    fn alternatives(&self) -> impl Iterator<Item = &'p [u8]> + use<'p> {
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
fn is_valid(pattern: &[u8]) -> bool {
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
