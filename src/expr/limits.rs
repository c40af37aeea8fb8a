//! How much work and memory one evaluation may take.
//!
//! Expressions come from tenants and bodies from strangers, so everything is counted. Upstream counts list and map
//! elements only ([`MAX_ELEMENTS`]); steps and bytes are bounded here in addition, because upstream loops and
//! concatenates without end.

use super::{ErrorClass, RunError};

/// Longest source that is looked at, in bytes.
pub const MAX_SOURCE_LEN: usize = 64 * 1024;
/// Most nodes of a program; expr-lang's own limit.
pub const MAX_NODES: usize = 10_000;
/// Deepest nesting of a program. The parser recurses, a few frames for each level.
pub const MAX_DEPTH: usize = 250;
/// Most instructions of a program. `?:` evaluates its left side twice, so nesting it doubles the code.
pub const MAX_CODE: usize = 200_000;
/// Elements of lists, ranges and maps an evaluation may build before expr-lang refuses; its own budget.
pub const MAX_ELEMENTS: u64 = 1_000_000;
/// Deepest nesting of a value that is compared, formatted or flattened.
pub const MAX_VALUE_DEPTH: usize = 200;

/// What one evaluation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions, and a share for every element or byte that an instruction looks at.
    pub steps: u64,
    /// Bytes of new strings, lists and maps, whether still in use or not.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 20_000_000, bytes: 64 * 1024 * 1024 }
    }
}

/// What is left of the limits during one evaluation.
#[derive(Debug)]
pub(super) struct Meter {
    steps: u64,
    bytes: u64,
    elements: u64,
}

impl Meter {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { steps: limits.steps, bytes: limits.bytes, elements: 0 }
    }

    /// Takes steps.
    pub(super) fn work(&mut self, steps: u64) -> Result<(), RunError> {
        self.steps = self.steps.checked_sub(steps).ok_or_else(|| exceeded("the evaluation takes too many steps"))?;
        Ok(())
    }

    /// Takes steps for reading that many bytes.
    pub(super) fn scan(&mut self, bytes: usize) -> Result<(), RunError> {
        self.work(1 + bytes as u64 / 32)
    }

    /// Takes memory, and the steps to fill it.
    pub(super) fn allocate(&mut self, bytes: usize) -> Result<(), RunError> {
        self.scan(bytes)?;
        self.bytes =
            self.bytes.checked_sub(bytes as u64).ok_or_else(|| exceeded("the evaluation takes too much memory"))?;
        Ok(())
    }

    /// Takes memory for a list of that many elements, or entries of a map.
    pub(super) fn elements(&mut self, count: usize) -> Result<(), RunError> {
        self.allocate(count.saturating_mul(size_of::<super::Value>()))?;
        self.work(count as u64)
    }

    /// Counts elements the way expr-lang does, which is not for every new list.
    pub(super) fn upstream_elements(&mut self, count: u64) -> Result<(), RunError> {
        self.elements = self.elements.saturating_add(count);
        if self.elements >= MAX_ELEMENTS { Err(exceeded("memory budget exceeded")) } else { Ok(()) }
    }
}

/// Refuses values that nest too deeply to be walked.
pub(super) fn check_value_depth(depth: usize) -> Result<(), RunError> {
    if depth > MAX_VALUE_DEPTH { Err(exceeded("the value nests too deeply")) } else { Ok(()) }
}

fn exceeded(message: &'static str) -> RunError {
    RunError::new(ErrorClass::Limit, message)
}
