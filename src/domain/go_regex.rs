//! Regular expressions in Go's syntax.
//!
//! Owns the translation of patterns written for Go's `regexp` package (RE2 syntax, Go 1.26), which is what Kargo uses
//! for tags and paths, into programs of the `regex` crate. The two agree on most patterns, but not on what `\d` means,
//! on `\Q…\E`, on octal escapes, on what is a literal inside a class, nor on what is an error. Only whether a text
//! matches is preserved; there are no groups to ask for.
//!
//! Patterns come from tenants, so a compiled program is limited in size, and equal patterns share one program.

mod class;
mod error;
mod frame;
mod translate;
mod unicode;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use regex::{Regex, RegexBuilder};

use error::MAX_PATTERN_LEN;
pub use error::RegexError;

/// Largest compiled program, in bytes. Ordinary patterns need a few kilobytes; this leaves room for repeated Unicode
/// classes without letting one pattern take a noticeable share of the memory of the process.
const MAX_PROGRAM_SIZE: usize = 2 * 1024 * 1024;
/// Size of the state cache a search may fill, per program and concurrent search; beyond it a search is merely slower.
const MAX_CACHE_SIZE: usize = 256 * 1024;
/// Deepest nesting that is compiled, as the compiler recurses. Go goes to 1000, but plain groups, the only thing
/// that nests deeply in practice, do not count here because they are not written.
const NEST_LIMIT: u32 = 250;

/// Compiles a pattern in Go's syntax. Like Go's, it matches anywhere in a text unless it is anchored.
///
/// # Errors
/// When Go refuses the pattern, or it is larger than the limits of this program.
pub fn compile(pattern: &str) -> Result<Regex, RegexError> {
    if pattern.len() > MAX_PATTERN_LEN {
        return Err(RegexError::TooLong);
    }
    let translated = translate::translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(MAX_PROGRAM_SIZE)
        .dfa_size_limit(MAX_CACHE_SIZE)
        .nest_limit(NEST_LIMIT)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => RegexError::TooLarge,
            // What was translated is valid except for its nesting.
            _ => RegexError::TooDeep,
        })
}

/// A compiled pattern together with the text it was written as.
pub struct Pattern {
    source: Arc<str>,
    program: Regex,
}

impl Pattern {
    /// Whether the pattern matches somewhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.program.is_match(text)
    }

    /// The pattern as it was written, in Go's syntax.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

/// Compiles a pattern, or returns the program that is already in use for the same pattern. Programs live as long as
/// somebody holds them.
///
/// # Errors
/// As for [`compile`].
pub fn compile_shared(pattern: &str) -> Result<Arc<Pattern>, RegexError> {
    if let Some(shared) = SHARED.lock().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return Ok(shared);
    }
    // Compiled without the lock, so that a slow pattern delays no other caller; the second of two racing callers is
    // dropped.
    let source: Arc<str> = pattern.into();
    let compiled = Arc::new(Pattern { source, program: compile(pattern)? });
    Ok(SHARED.lock().unwrap_or_else(PoisonError::into_inner).insert(compiled))
}

static SHARED: LazyLock<Mutex<Interner>> = LazyLock::new(|| Mutex::new(Interner::default()));

#[derive(Default)]
struct Interner {
    programs: HashMap<Arc<str>, Weak<Pattern>>,
    /// Number of entries at which the dead ones are looked for next.
    sweep_at: usize,
}

impl Interner {
    fn get(&self, pattern: &str) -> Option<Arc<Pattern>> {
        self.programs.get(pattern).and_then(Weak::upgrade)
    }

    fn insert(&mut self, compiled: Arc<Pattern>) -> Arc<Pattern> {
        if let Some(earlier) = self.get(&compiled.source) {
            return earlier;
        }
        if self.programs.len() >= self.sweep_at {
            self.programs.retain(|_, program| program.strong_count() > 0);
            // Twice what is alive: sweeping costs a constant amount per insertion.
            self.sweep_at = (2 * self.programs.len()).max(64);
        }
        self.programs.insert(Arc::clone(&compiled.source), Arc::downgrade(&compiled));
        compiled
    }
}

#[cfg(test)]
mod tests;
