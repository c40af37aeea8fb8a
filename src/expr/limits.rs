//! How much work and memory one evaluation may take.
//!
//! Expressions come from tenants and bodies from strangers, so everything is counted. Upstream counts list and map
//! elements only ([`MAX_ELEMENTS`]); steps and bytes are bounded here in addition, because upstream loops and
//! concatenates without end.

use super::{CompileError, ErrorClass, RunError};
use crate::domain::go_regex::PatternBudget;
use crate::domain::work::Work;

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
/// Bytes of a value, besides what it refers to.
pub(super) const VALUE_SIZE: usize = 32;
/// Bytes that everything of variable size takes besides its content.
const ALLOCATION: u64 = 32;
/// Most values in one JSON text. They take far more room than their text; ordinary bodies of the largest size there can
/// be have a quarter of it.
pub const MAX_JSON_VALUES: usize = 250_000;
/// Deepest nesting of a value that is compared, formatted or flattened.
pub const MAX_VALUE_DEPTH: usize = 200;

/// What evaluations may still use. Those that share one cannot multiply their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Instructions, and a share for every element or byte that an instruction looks at; about 10 ns each.
    pub steps: u64,
    /// Bytes of new strings, lists and maps, whether still in use or not.
    pub bytes: u64,
}

/// Enough for one evaluation, whatever sense it makes.
impl Default for Budget {
    fn default() -> Self {
        Self { steps: 5_000_000, bytes: 40 * 1024 * 1024 }
    }
}

impl Budget {
    /// Takes half of what is left.
    #[must_use]
    pub const fn take_half(&mut self) -> Self {
        let half = Self { steps: self.steps / 2, bytes: self.bytes / 2 };
        self.steps -= half.steps;
        self.bytes -= half.bytes;
        half
    }

    /// Adds what was not needed of another one.
    pub const fn give_back(&mut self, rest: Self) {
        self.steps = self.steps.saturating_add(rest.steps);
        self.bytes = self.bytes.saturating_add(rest.bytes);
    }
}

/// What compiling may still cost. The expressions of one configuration share it, so that their number can neither keep
/// the controller busy nor fill its memory.
#[derive(Debug)]
pub struct CompileBudget {
    /// Time, in about nanoseconds.
    time: u64,
    /// The memory of patterns.
    pub(super) patterns: PatternBudget,
}

/// For a configuration that belongs to no project.
impl Default for CompileBudget {
    fn default() -> Self {
        Self::of_project("")
    }
}

impl CompileBudget {
    /// Enough for a configuration of the largest size there can be that is full of ordinary expressions.
    #[must_use]
    pub fn of_project(project: &str) -> Self {
        Self { time: 300_000_000, patterns: PatternBudget::new(project) }
    }

    /// For each byte of source: reading, checking and rewriting it.
    const SOURCE: u64 = 100;
    /// For each instruction, as they stay in memory.
    const INSTRUCTION: u64 = 500;
    /// For a program that is refused for its size, of which nothing stays.
    const REFUSED: u64 = 20_000_000;

    /// Pays for a source before it is looked at.
    pub(super) fn source(&mut self, source: &str) -> Result<(), CompileError> {
        self.spend(1_000 + source.len() as u64 * Self::SOURCE)
    }

    /// Pays for what the source became.
    pub(super) fn instructions(&mut self, count: Result<usize, &CompileError>) -> Result<(), CompileError> {
        self.spend(match count {
            Ok(count) => count as u64 * Self::INSTRUCTION,
            Err(error) if error.class() == ErrorClass::Limit => Self::REFUSED,
            Err(_) => 0,
        })
    }

    /// Pays for work that may be done already, so an evaluation that cannot pay has nothing left.
    pub(super) fn spend(&mut self, cost: u64) -> Result<(), CompileError> {
        let left = self.time.checked_sub(cost);
        self.time = left.unwrap_or(0);
        let exceeded = || CompileError::new(ErrorClass::Limit, "the expressions of the configuration are too large");
        left.map(|_| ()).ok_or_else(exceeded)
    }
}

/// What is left of a budget during one evaluation.
#[derive(Debug)]
pub(super) struct Meter {
    steps: u64,
    bytes: u64,
    elements: u64,
}

impl Meter {
    pub(super) const fn new(budget: Budget) -> Self {
        Self { steps: budget.steps, bytes: budget.bytes, elements: 0 }
    }

    /// What is left for the evaluations that follow.
    pub(super) const fn left(&self) -> Budget {
        Budget { steps: self.steps, bytes: self.bytes }
    }

    /// Takes steps.
    pub(super) fn work(&mut self, steps: u64) -> Result<(), RunError> {
        self.steps = self.steps.checked_sub(steps).ok_or_else(|| exceeded("the evaluation takes too many steps"))?;
        Ok(())
    }

    /// The steps that are left, for a search that counts them itself and has [`Self::work`] take what it needed.
    pub(super) const fn search(&self) -> Work {
        Work::of(self.steps)
    }

    /// The most bytes that can still be paid for, with a step for each.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.steps.min(self.bytes)).unwrap_or(usize::MAX)
    }

    /// Takes steps for comparing or copying that many bytes.
    pub(super) fn scan(&mut self, bytes: usize) -> Result<(), RunError> {
        self.work(1 + bytes as u64 / 32)
    }

    /// Takes steps for looking at that many bytes one by one.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), RunError> {
        self.work(1 + bytes as u64 / 4)
    }

    /// Takes memory, and the steps to fill it.
    pub(super) fn allocate(&mut self, bytes: usize) -> Result<(), RunError> {
        self.scan(bytes)?;
        let taken = (bytes as u64).saturating_add(ALLOCATION);
        self.bytes = self.bytes.checked_sub(taken).ok_or_else(|| exceeded("the evaluation takes too much memory"))?;
        Ok(())
    }

    /// Takes memory for a list of that many elements, or entries of a map.
    pub(super) fn elements(&mut self, count: usize) -> Result<(), RunError> {
        self.allocate(count.saturating_mul(VALUE_SIZE))?;
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
