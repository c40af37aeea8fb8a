//! The patterns that are in use, and what they take.
//!
//! Patterns come from tenants, and a few bytes of one can be megabytes of program. Equal patterns share one program,
//! and what programs take is counted by object, by project and for the process. What does not fit is refused for that
//! object alone; a small share of its own is kept for every project, so that none can take it away from the others.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::error::RegexError;
use super::program::{MAX_PROGRAM_SIZE, Program};
use crate::domain::work::{Exhausted, Work};

/// What the patterns of one object may take, in bytes.
const OBJECT: usize = 4 * 1024 * 1024;
/// What the patterns of one project may take.
const PROJECT: usize = 12 * 1024 * 1024;
/// What a project has whatever the others take.
const PROJECT_SHARE: usize = 256 * 1024;
/// What all projects together may take beyond their shares.
const PROCESS: usize = 32 * 1024 * 1024;
/// What is kept for a pattern besides its program and its text.
const ENTRY: usize = 256;

/// A compiled pattern together with the text it was written as, held by an object.
pub struct Pattern {
    source: Arc<str>,
    program: Arc<Program>,
    project: Arc<str>,
    store: Arc<Store>,
}

impl Pattern {
    /// Whether the pattern matches somewhere in the text.
    ///
    /// # Errors
    /// [`Exhausted`] when the search takes more steps than are left.
    pub fn is_match(&self, text: &str, work: &mut Work) -> Result<bool, Exhausted> {
        self.program.is_match(text, work)
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
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

impl Drop for Pattern {
    fn drop(&mut self) {
        self.store.books().release(&self.project, &self.source);
    }
}

/// What the patterns of one object may still take. It also remembers them: an object that repeats a pattern pays once.
pub struct PatternBudget {
    store: Arc<Store>,
    project: Arc<str>,
    known: HashMap<Arc<str>, Arc<Pattern>>,
    left: usize,
}

impl PatternBudget {
    /// The whole budget of an object of this project.
    #[must_use]
    pub fn new(project: &str) -> Self {
        Self::of(&SHARED, project)
    }

    pub(super) fn of(store: &Arc<Store>, project: &str) -> Self {
        Self { store: Arc::clone(store), project: project.into(), known: HashMap::new(), left: OBJECT }
    }

    /// What is left of it, in bytes.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Compiles a pattern, or returns the program that is already in use for the same pattern.
    ///
    /// # Errors
    /// When Go refuses the pattern, or there is no room for it.
    pub fn compile(&mut self, source: &str) -> Result<Arc<Pattern>, RegexError> {
        if let Some(known) = self.known.get(source) {
            return Ok(Arc::clone(known));
        }
        let program = self.program(source)?;
        // The object pays for a program that others use already, too: what it may have does not depend on them.
        self.pay(program.size() + ENTRY)?;
        let source: Arc<str> = source.into();
        let program = self.store.books().hold(&self.project, &source, program)?;
        let pattern = Pattern {
            source: Arc::clone(&source),
            program,
            project: Arc::clone(&self.project),
            store: Arc::clone(&self.store),
        };
        let pattern = Arc::new(pattern);
        self.known.insert(source, Arc::clone(&pattern));
        Ok(pattern)
    }

    fn program(&mut self, source: &str) -> Result<Arc<Program>, RegexError> {
        if let Some(shared) = self.store.books().get(source) {
            return Ok(shared);
        }
        // Compiled without the lock, so that a slow pattern holds up nobody; the second of two racing callers is
        // dropped.
        let limit = self.left.min(MAX_PROGRAM_SIZE);
        match Program::compile(source, limit) {
            Ok(program) => Ok(Arc::new(program)),
            Err(RegexError::TooLarge) => {
                self.pay(limit)?;
                Err(if limit < MAX_PROGRAM_SIZE { RegexError::ObjectFull } else { RegexError::TooLarge })
            }
            Err(error) => {
                self.pay(ENTRY + source.len())?;
                Err(error)
            }
        }
    }

    fn pay(&mut self, size: usize) -> Result<(), RegexError> {
        let left = self.left.checked_sub(size);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(RegexError::ObjectFull)
    }
}

impl fmt::Debug for PatternBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatternBudget").field("left", &self.left).finish_non_exhaustive()
    }
}

static SHARED: LazyLock<Arc<Store>> = LazyLock::new(|| Arc::new(Store::default()));

#[derive(Default)]
pub(super) struct Store(Mutex<Books>);

impl Store {
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(super) struct Books {
    programs: HashMap<Arc<str>, Weak<Program>>,
    /// Number of programs at which the dead ones are looked for next.
    sweep_at: usize,
    projects: HashMap<Arc<str>, Account>,
    /// What projects take beyond their shares.
    beyond_shares: usize,
}

#[derive(Default)]
struct Account {
    /// How many objects hold a pattern, and what it takes.
    held: HashMap<Arc<str>, (usize, usize)>,
    used: usize,
}

impl Account {
    const fn beyond_share(&self) -> usize {
        self.used.saturating_sub(PROJECT_SHARE)
    }
}

impl Books {
    fn get(&self, source: &str) -> Option<Arc<Program>> {
        self.programs.get(source).and_then(Weak::upgrade)
    }

    /// Notes that an object of the project holds the pattern, and returns the one program for it.
    fn hold(
        &mut self,
        project: &Arc<str>,
        source: &Arc<str>,
        program: Arc<Program>,
    ) -> Result<Arc<Program>, RegexError> {
        let program = self.get(source).unwrap_or(program);
        let account = self.projects.entry(Arc::clone(project)).or_default();
        if let Some((holders, _)) = account.held.get_mut(source) {
            *holders += 1;
            return Ok(program);
        }
        let size = program.size() + ENTRY;
        let before = account.beyond_share();
        account.used += size;
        let beyond = self.beyond_shares - before + account.beyond_share();
        let refusal = if account.used > PROJECT {
            Some(RegexError::ProjectFull)
        } else {
            (account.beyond_share() > before && beyond > PROCESS).then_some(RegexError::ProcessFull)
        };
        if let Some(refusal) = refusal {
            account.used -= size;
            self.forget_if_empty(project);
            return Err(refusal);
        }
        account.held.insert(Arc::clone(source), (1, size));
        self.beyond_shares = beyond;
        self.intern(source, &program);
        Ok(program)
    }

    fn release(&mut self, project: &Arc<str>, source: &Arc<str>) {
        let Some(account) = self.projects.get_mut(project) else { return };
        let Some((holders, size)) = account.held.get_mut(source) else { return };
        *holders -= 1;
        if *holders > 0 {
            return;
        }
        let size = *size;
        let before = account.beyond_share();
        account.held.remove(source);
        account.used -= size;
        self.beyond_shares -= before - account.beyond_share();
        self.forget_if_empty(project);
    }

    fn forget_if_empty(&mut self, project: &Arc<str>) {
        if self.projects.get(project).is_some_and(|account| account.held.is_empty()) {
            self.projects.remove(project);
        }
    }

    fn intern(&mut self, source: &Arc<str>, program: &Arc<Program>) {
        if self.programs.len() >= self.sweep_at {
            self.programs.retain(|_, program| program.strong_count() > 0);
            // Twice what is alive: sweeping costs a constant amount per insertion.
            self.sweep_at = (2 * self.programs.len()).max(64);
        }
        self.programs.insert(Arc::clone(source), Arc::downgrade(program));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern of that many states, each different.
    fn large(index: usize) -> String {
        format!(r"\pL{{12}}{index}")
    }

    fn fill(budget: &mut PatternBudget, held: &mut Vec<Arc<Pattern>>) -> RegexError {
        loop {
            match budget.compile(&large(held.len())) {
                Ok(pattern) => held.push(pattern),
                Err(error) => return error,
            }
        }
    }

    #[test]
    fn equal_patterns_share_one_program_and_an_object_pays_once_for_it() {
        let store = Arc::new(Store::default());
        let mut one = PatternBudget::of(&store, "one");
        let first = one.compile(r"^v\d+$").unwrap();
        let left = one.left();
        assert!(Arc::ptr_eq(&first, &one.compile(r"^v\d+$").unwrap()));
        assert_eq!(one.left(), left);
        let other = PatternBudget::of(&store, "other").compile(r"^v\d+$").unwrap();
        assert!(Arc::ptr_eq(&first.program, &other.program));
        assert_eq!(other.as_str(), r"^v\d+$");
        assert_eq!(other.is_match("v1", &mut Work::default()), Ok(true));
    }

    #[test]
    fn what_is_released_leaves_nothing_behind() {
        let store = Arc::new(Store::default());
        let mut held = Vec::new();
        fill(&mut PatternBudget::of(&store, "one"), &mut held);
        held.push(PatternBudget::of(&store, "two").compile("a").unwrap());
        assert!(store.books().beyond_shares > 0);
        drop(held);
        let books = store.books();
        assert_eq!((books.beyond_shares, books.projects.len()), (0, 0));
        assert!(books.programs.values().all(|program| program.upgrade().is_none()));
    }

    #[test]
    fn dead_programs_are_swept() {
        let store = Arc::new(Store::default());
        let kept = PatternBudget::of(&store, "one").compile("0").unwrap();
        for n in 1..500 {
            PatternBudget::of(&store, "one").compile(&n.to_string()).unwrap();
        }
        let books = store.books();
        assert!(books.programs.len() <= 64, "{}", books.programs.len());
        assert!(books.get("0").is_some_and(|program| Arc::ptr_eq(&program, &kept.program)));
        assert!(books.get("1").is_none());
    }

    #[test]
    fn objects_projects_and_the_process_have_totals_and_every_project_a_share() {
        let store = Arc::new(Store::default());
        let mut held = Vec::new();
        let mut object = PatternBudget::of(&store, "greedy");
        assert_eq!(fill(&mut object, &mut held), RegexError::ObjectFull);
        assert_eq!(object.compile("a").unwrap_err(), RegexError::ObjectFull);
        assert!(PatternBudget::of(&store, "greedy").compile("a").is_ok());
        let of_project = |project: &str, held: &mut Vec<Arc<Pattern>>| loop {
            let error = fill(&mut PatternBudget::of(&store, project), held);
            if error != RegexError::ObjectFull {
                break error;
            }
        };
        assert_eq!(of_project("greedy", &mut held), RegexError::ProjectFull);
        let mut errors: Vec<_> = (0..4).map(|n| of_project(&format!("greedy-{n}"), &mut held)).collect();
        assert_eq!(errors.pop(), Some(RegexError::ProcessFull));
        let total: usize = store.books().projects.values().map(|account| account.used).sum();
        assert!(total <= PROCESS + 5 * PROJECT_SHARE, "{total}");
        // Nobody else is any worse off for it.
        let mut modest = PatternBudget::of(&store, "modest");
        for n in 0..100 {
            held.push(modest.compile(&format!(r"^release-{n}-v\d+\.\d+$")).unwrap());
        }
    }
}
