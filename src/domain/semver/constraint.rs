//! Constraint expressions: groups joined by `||`, each a list of comparators that must all hold.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;
use regex::Regex;
use thiserror::Error;

use super::{Strictness, Version, compare_prereleases};

/// Limits of the upstream library; beyond them a constraint is refused there too.
const MAX_LEN: usize = 512;
const MAX_GROUPS: usize = 32;

/// Why a text is not a constraint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConstraintError {
    /// Longer than the library allows.
    #[error("the constraint is longer than {MAX_LEN} bytes")]
    TooLong,
    /// More alternatives than the library allows.
    #[error("the constraint has more than {MAX_GROUPS} groups separated by \"||\"")]
    TooManyGroups,
    /// A group is not a list of comparators.
    #[error("{0:?} is not a version constraint; write for example \"^1.2.0\", \">=1.2.0 <2.0.0\" or \"1.2.x\"")]
    Improper(Box<str>),
    /// A comparator has the right form, but what it compares with is not a version.
    #[error("{0:?} does not name a version")]
    NotAVersion(Box<str>),
}

/// A parsed version constraint. Nearly every subscription of a cluster has one, and most are the same few, so equal
/// ones are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint(Arc<Parsed>);

/// The text is kept for messages; otherwise it is one flat list.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    text: Box<str>,
    comparators: Box<[Comparator]>,
}

/// The constraints in use, by their texts.
static SHARED: LazyLock<Mutex<HashMap<Box<str>, Weak<Parsed>>>> = LazyLock::new(Mutex::default);

impl Drop for Parsed {
    fn drop(&mut self) {
        let mut shared = SHARED.lock();
        // Meanwhile there may be another with this text.
        if shared.get(&self.text).is_some_and(|known| known.strong_count() == 0) {
            shared.remove(&self.text);
        }
    }
}

impl Constraint {
    /// Parses a constraint. An empty text is an error; that an empty field means "no constraint" is up to the caller.
    ///
    /// # Errors
    /// When the text is too long or not a constraint.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAX_LEN {
            return Err(ConstraintError::TooLong);
        }
        if let Some(known) = SHARED.lock().get(text).and_then(Weak::upgrade) {
            return Ok(Self(known));
        }
        let parsed = Arc::new(Parsed { text: text.into(), comparators: comparators(text)? });
        SHARED.lock().insert(text.into(), Arc::downgrade(&parsed));
        Ok(Self(parsed))
    }

    /// Whether the version satisfies every comparator of at least one group.
    #[must_use]
    pub fn matches(&self, version: &Version<'_>) -> bool {
        self.0
            .comparators
            .split_inclusive(|comparator| comparator.ends_group)
            .any(|group| group.iter().all(|comparator| comparator.admits(version)))
    }

    /// Whether a pre-release can satisfy this constraint at all.
    #[must_use]
    pub fn admits_prereleases(&self) -> bool {
        self.0.comparators.iter().any(|comparator| comparator.prereleases)
    }

    /// The constraint as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

/// Those of a constraint, group by group.
fn comparators(text: &str) -> Result<Box<[Comparator]>, ConstraintError> {
    let plain = rewrite_hyphen_ranges(text);
    if plain.split("||").count() > MAX_GROUPS {
        return Err(ConstraintError::TooManyGroups);
    }
    let mut comparators = Vec::new();
    for group in plain.split("||") {
        if !GRAMMAR.group.is_match(group) {
            return Err(ConstraintError::Improper(group.into()));
        }
        let start = comparators.len();
        for found in GRAMMAR.comparator.find_iter(group) {
            comparators.push(Comparator::parse(found.as_str())?);
        }
        let members = &mut comparators[start..];
        let prereleases = members.iter().any(|member| member.prerelease.is_some());
        for member in members.iter_mut() {
            member.prereleases = prereleases;
        }
        if let Some(last) = members.last_mut() {
            last.ends_group = true;
        }
    }
    Ok(comparators.into())
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// `=` or none: exact for a whole version, a range for a partial one.
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// How much of the version was written before the first wildcard or the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Nothing,
    Major,
    Minor,
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparator {
    numbers: [u64; 3],
    prerelease: Option<Box<str>>,
    operator: Operator,
    precision: Precision,
    /// Some comparator of the group names a pre-release, so pre-releases are considered.
    prereleases: bool,
    /// The next comparator, if any, begins an alternative.
    ends_group: bool,
}

impl Comparator {
    fn parse(text: &str) -> Result<Self, ConstraintError> {
        let Some(parts) = GRAMMAR.parts.captures(text) else {
            return Err(ConstraintError::Improper(text.into()));
        };
        let part = |name| parts.name(name).map_or("", |part| part.as_str());
        let is_open = |name| matches!(part(name), "" | "x" | "X" | "*");

        let (precision, core) = if is_open("major") {
            (Precision::Nothing, "0.0.0".to_owned())
        } else if is_open("minor") {
            (Precision::Major, format!("{}.0.0", part("major")))
        } else if is_open("patch") {
            (Precision::Minor, format!("{}.{}.0", part("major"), part("minor")))
        } else {
            (Precision::Full, part("version").to_owned())
        };
        let written = match precision {
            Precision::Full => core,
            Precision::Nothing | Precision::Major | Precision::Minor => format!("{core}{}", part("pre")),
        };
        // The grammar lets `1x` or `1|2` through as a number; here it turns out not to be one.
        let Some(version) = Version::parse(&written, Strictness::Lenient) else {
            return Err(ConstraintError::NotAVersion(text.into()));
        };
        Ok(Self {
            numbers: version.numbers,
            prerelease: version.is_prerelease().then(|| version.prerelease.into()),
            operator: match part("operator") {
                "!=" => Operator::NotEqual,
                ">" => Operator::Greater,
                "<" => Operator::Less,
                ">=" | "=>" => Operator::GreaterOrEqual,
                "<=" | "=<" => Operator::LessOrEqual,
                "~" | "~>" => Operator::Tilde,
                "^" => Operator::Caret,
                _ => Operator::Equal,
            },
            precision,
            prereleases: false,
            ends_group: false,
        })
    }

    fn version(&self) -> Version<'_> {
        Version { numbers: self.numbers, prerelease: self.prerelease.as_deref().unwrap_or_default() }
    }

    fn admits(&self, version: &Version<'_>) -> bool {
        if version.is_prerelease() && !self.prereleases {
            return false;
        }
        let order = version.cmp(&self.version());
        match self.operator {
            Operator::Equal if self.precision == Precision::Full => order.is_eq(),
            Operator::Equal | Operator::Tilde => order.is_ge() && self.is_within_tilde(version),
            Operator::NotEqual => self.differs_from(version, order),
            Operator::Greater => self.is_exceeded_by(version, order),
            Operator::Less => order.is_lt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::LessOrEqual => self.reaches(version, order),
            Operator::Caret => order.is_ge() && self.is_within_caret(version),
        }
    }

    /// `!=1.2` rejects every 1.2.z, and pre-releases of it only by their pre-release.
    fn differs_from(&self, version: &Version<'_>, order: Ordering) -> bool {
        let [major, minor, patch] = self.numbers;
        let [their_major, their_minor, their_patch] = version.numbers;
        match self.precision {
            Precision::Full => order.is_ne(),
            _ if major != their_major => true,
            Precision::Major => false,
            _ if minor != their_minor => true,
            Precision::Minor => compare_prereleases(version.prerelease, self.version().prerelease).is_ne(),
            Precision::Nothing => patch != their_patch || order.is_ne(),
        }
    }

    /// `>1` begins at 2.0.0 and `>1.2` at 1.3.0.
    fn is_exceeded_by(&self, version: &Version<'_>, order: Ordering) -> bool {
        let [major, minor, _] = self.numbers;
        let [their_major, their_minor, _] = version.numbers;
        match self.precision {
            Precision::Full | Precision::Nothing => order.is_gt(),
            Precision::Major => their_major > major,
            Precision::Minor => (their_major, their_minor) > (major, minor),
        }
    }

    /// `<=1` ends with the last 1.y.z and `<=1.2` with the last 1.2.z.
    fn reaches(&self, version: &Version<'_>, order: Ordering) -> bool {
        let [major, minor, _] = self.numbers;
        let [their_major, their_minor, _] = version.numbers;
        match self.precision {
            Precision::Full => order.is_le(),
            Precision::Major => their_major <= major,
            Precision::Minor | Precision::Nothing => (their_major, their_minor) <= (major, minor),
        }
    }

    /// `~1` stays within 1.y.z, `~1.2` and `~1.2.3` within 1.2.z; `~0.0.0` and `~*` have no upper end.
    fn is_within_tilde(&self, version: &Version<'_>) -> bool {
        let [major, minor, _] = self.numbers;
        let [their_major, their_minor, _] = version.numbers;
        match self.precision {
            Precision::Nothing | Precision::Full if self.numbers == [0; 3] => true,
            Precision::Major => their_major == major,
            Precision::Nothing | Precision::Minor | Precision::Full => (their_major, their_minor) == (major, minor),
        }
    }

    /// `^` keeps the leftmost number that is not zero, or the last one written.
    fn is_within_caret(&self, version: &Version<'_>) -> bool {
        let [major, minor, patch] = self.numbers;
        let [their_major, their_minor, their_patch] = version.numbers;
        if major > 0 || self.precision == Precision::Major {
            their_major == major
        } else if minor > 0 || self.precision == Precision::Minor {
            (their_major, their_minor) == (0, minor)
        } else {
            (their_major, their_minor, their_patch) == (0, 0, patch)
        }
    }
}

/// The library defines its grammar by regular expressions, and what it accepts depends on how they backtrack; so the
/// same expressions decide here. `\s` is spelled out because it is ASCII in Go.
struct Grammar {
    hyphen_range: Regex,
    group: Regex,
    comparator: Regex,
    parts: Regex,
}

const SPACE: &str = r"[\t\n\f\r ]";
const OPERATOR: &str = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^";
/// A version in which every number may be a wildcard; the stray `|` in the classes is the library's.
const VERSION: &str = r"v?[0-9|xX*]+(?:\.[0-9|xX*]+)?(?:\.[0-9|xX*]+)?(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?";
const PARTS: &str = r"(?<version>v?(?<major>[0-9|xX*]+)(?:\.(?<minor>[0-9|xX*]+))?(?:\.(?<patch>[0-9|xX*]+))?(?<pre>-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)";

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let compile = |pattern: String| Regex::new(&pattern).expect("the grammar is a constant that compiles");
    let one = format!("(?:{OPERATOR}){SPACE}*(?:{VERSION})");
    Grammar {
        hyphen_range: compile(format!("{SPACE}*(?<from>{VERSION}){SPACE}+-{SPACE}+(?<to>{VERSION}){SPACE}*")),
        group: compile(format!("^{SPACE}*{one}{SPACE}*(?:(?:{SPACE}+|,{SPACE}*){one}{SPACE}*)*$")),
        parts: compile(format!("^{SPACE}*(?<operator>{OPERATOR}){SPACE}*{PARTS}{SPACE}*$")),
        comparator: compile(one),
    }
});

/// Writes `1.0 - 2.0` as `>= 1.0, <= 2.0`.
fn rewrite_hyphen_ranges(text: &str) -> String {
    let mut rewritten = text.to_owned();
    if text.contains('-') {
        for range in GRAMMAR.hyphen_range.captures_iter(text) {
            let comparators = format!(">= {}, <= {} ", &range["from"], &range["to"]);
            rewritten = rewritten.replacen(&range[0], &comparators, 1);
        }
    }
    rewritten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_constraints_are_shared_for_as_long_as_one_is_in_use() {
        let text = ">=7.1.9, <7.1.11";
        let (one, two) = (Constraint::parse(text).unwrap(), Constraint::parse(text).unwrap());
        assert!(Arc::ptr_eq(&one.0, &two.0));
        drop(one);
        assert!(Arc::ptr_eq(&two.0, &Constraint::parse(text).unwrap().0));
        drop(two);
        assert!(!SHARED.lock().contains_key(text), "nothing of it is left behind");
    }
}
