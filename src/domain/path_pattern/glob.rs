//! Globs as doublestar 4.10 matches them.
//!
//! The matcher walks pattern and name side by side and remembers the last `*` and the last `**` to go back to. That is
//! the library's procedure rather than an equivalent automaton, because its answers in the corners depend on it: when
//! `**` counts as a whole segment, when `{` is looked at, how a class ends.

mod syntax;

use self::syntax::{Braces, Stop, class, decode, is_valid};
use super::error::{MAX_BRACES, PathPatternError};
use crate::domain::work::{Exhausted, Work};

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
    pub(super) fn decide(&self, name: &str, work: &mut Work) -> Result<Option<bool>, Exhausted> {
        if !self.may_begin(name.as_bytes()) {
            work.spend(1)?;
            return Ok(Some(false));
        }
        let limit = usize::try_from(work.left()).unwrap_or(usize::MAX).min(MAX_STEPS);
        let mut matcher = Matcher { name: name.as_bytes(), steps: 0, limit };
        let outcome = matcher.walk(self.0.as_bytes(), Position::default());
        work.spend(matcher.steps as u64)?;
        Ok(match outcome {
            Ok(matched) => Some(matched),
            Err(Stop::Malformed) => Some(false),
            Err(Stop::TooManySteps) => None,
        })
    }

    /// Whether the name begins as the pattern does before its first special character. Most names are told apart by it.
    fn may_begin(&self, name: &[u8]) -> bool {
        let literal = self.0.bytes().take_while(|byte| !matches!(byte, b'*' | b'?' | b'[' | b'{' | b'\\'));
        literal.zip(name).all(|(wanted, byte)| wanted == *byte)
    }
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
    limit: usize,
}

impl Matcher<'_> {
    fn count(&mut self, steps: usize) -> Result<(), Stop> {
        self.steps += steps;
        if self.steps > self.limit { Err(Stop::TooManySteps) } else { Ok(()) }
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
                Some(b'[') => {
                    let rest = &pattern[at.pattern..];
                    self.count(rest.iter().take_while(|byte| **byte != b']').count() / 16)?;
                    class(rest, name_rune)?.map(|len| (len, false))
                }
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

    /// Lets the last star take one character more, or else the last double star one segment more. Returns whether a
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
