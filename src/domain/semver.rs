//! Semantic versions and version constraints as Kargo understands them.
//!
//! Owns the parsing of tags into versions and the decision whether a version satisfies a constraint. The contract's
//! source is Masterminds/semver v3 (3.5.0), whose rules differ from Cargo's and npm's: a bare `1.2.3` is exact, a bare
//! `1.2` is a range, spaces mean AND, and a pre-release only satisfies a group that itself names one.

mod constraint;

use std::cmp::Ordering;

pub use constraint::{Constraint, ConstraintError};

/// A longer string is not a version, which bounds the work a hostile tag can cause.
const MAX_VERSION_LEN: usize = 256;

/// How much of a version must be written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// `1`, `v1.2` and `01.2.3` are versions too; missing numbers are zero.
    #[default]
    Lenient,
    /// Exactly `X.Y.Z`, after one optional `v`, without leading zeros.
    Strict,
}

/// A semantic version that borrows from the tag it was read from. Build metadata is checked and dropped, as it takes
/// no part in any comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    numbers: [u64; 3],
    prerelease: &'a str,
}

impl<'a> Version<'a> {
    /// Reads a whole tag as a version; `None` if it is not one.
    #[must_use]
    pub fn parse(tag: &'a str, strictness: Strictness) -> Option<Self> {
        if tag.len() > MAX_VERSION_LEN {
            return None;
        }
        let bare = tag.strip_prefix('v').unwrap_or(tag);
        let (rest, build) = split_once(bare, '+');
        let (core, prerelease) = split_once(rest, '-');

        let numbers = parse_numbers(core, strictness)?;
        if build.is_some_and(|build| !build.split('.').all(is_identifier)) {
            return None;
        }
        if prerelease.is_some_and(|pre| !pre.split('.').all(is_prerelease_identifier)) {
            return None;
        }
        Some(Self { numbers, prerelease: prerelease.unwrap_or_default() })
    }

    /// Whether this version comes before the release of the same numbers.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }
}

/// The same version without the leading zeros that make a tag none; `None` when that is not what is wrong with it.
#[must_use]
pub fn without_leading_zeros(tag: &str, strictness: Strictness) -> Option<String> {
    let (bare, build) = split_once(tag, '+');
    let (core, prerelease) = split_once(bare, '-');
    let without_zeros = |part: &str| match part.trim_start_matches('0') {
        _ if !part.bytes().all(|byte| byte.is_ascii_digit()) || part.is_empty() => part.to_owned(),
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let each = |text: &str| text.split('.').map(without_zeros).collect::<Vec<_>>().join(".");
    let (v, core) = core.strip_prefix('v').map_or(("", core), |core| ("v", core));
    let mut plain = format!("{v}{}", each(core));
    for (separator, text) in [('-', prerelease.map(each)), ('+', build.map(str::to_owned))] {
        plain.extend(text.into_iter().flat_map(|text| [separator.to_string(), text]));
    }
    (plain != tag && Version::parse(&plain, strictness).is_some()).then_some(plain)
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            // A release comes after all of its pre-releases.
            match (self.is_prerelease(), other.is_prerelease()) {
                (true, true) => compare_prereleases(self.prerelease, other.prerelease),
                (mine, others) => others.cmp(&mine),
            }
        })
    }
}

fn split_once(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn parse_numbers(core: &str, strictness: Strictness) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut given = 0;
    for part in core.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || (strictness == Strictness::Strict && has_leading_zero(part)) {
            return None;
        }
        *numbers.get_mut(given)? = part.parse().ok()?;
        given += 1;
    }
    (strictness == Strictness::Lenient || given == numbers.len()).then_some(numbers)
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_prerelease_identifier(text: &str) -> bool {
    is_identifier(text) && !(has_leading_zero(text) && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Compares two pre-releases identifier by identifier; an empty one counts as one empty identifier.
fn compare_prereleases(left: &str, right: &str) -> Ordering {
    let mut left = left.split('.');
    let mut right = right.split('.');
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => compare_identifiers(left.unwrap_or_default(), right.unwrap_or_default()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_identifiers(left: &str, right: &str) -> Ordering {
    if left.is_empty() || right.is_empty() {
        return left.len().cmp(&right.len());
    }
    // A number too large for 64 bits is compared as text, as upstream does.
    match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

#[cfg(test)]
mod tests;
