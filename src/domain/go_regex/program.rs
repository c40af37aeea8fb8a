//! Compiled patterns, and the search for them.
//!
//! The program is the nondeterministic automaton of the `regex` crates; the search is the plain simulation of it, a set
//! of states for each byte. It builds nothing that grows with the texts it has seen, so the size of a program is all it
//! ever takes, and each step can be counted. Engines that are faster on long texts have neither property, and tags are
//! short.

use regex_automata::nfa::thompson::{Config, NFA, State, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use super::error::{MAX_PATTERN_LEN, RegexError};
use super::translate;
use crate::domain::work::{Exhausted, Work};

/// Largest compiled program, in bytes. Ordinary patterns need a few kilobytes; this leaves room for repeated Unicode
/// classes without letting one pattern take a noticeable share of the memory of the process.
pub(super) const MAX_PROGRAM_SIZE: usize = 2 * 1024 * 1024;
/// Deepest nesting that is compiled, as the compiler recurses. Go goes to 1000, but plain groups, the only thing
/// that nests deeply in practice, do not count here because they are not written.
const NEST_LIMIT: u32 = 250;
/// What a Unicode class costs while it is compiled, as bytes of a program; and in any case, where each of its
/// characters is looked up.
const CLASS: usize = 4 * 1024;
const CLASS_IN_ANY_CASE: usize = 64 * 1024;

/// A compiled pattern.
#[derive(Debug)]
pub struct Program {
    automaton: NFA,
    size: usize,
}

impl Program {
    /// Compiles a pattern in Go's syntax into a program of at most that size.
    pub(super) fn compile(pattern: &str, limit: usize) -> Result<Self, RegexError> {
        if pattern.len() > MAX_PATTERN_LEN {
            return Err(RegexError::TooLong);
        }
        let translated = translate::translate(pattern)?;
        // Paid for before the compiler reads their tables.
        let classes = cost_of_classes(&translated);
        let room = limit.checked_sub(classes.max(pattern.len())).ok_or(RegexError::TooLarge)?;
        let config = Config::new().nfa_size_limit(Some(room)).which_captures(WhichCaptures::None);
        let automaton = NFA::compiler()
            .syntax(syntax::Config::new().nest_limit(NEST_LIMIT))
            .configure(config)
            .build(&translated)
            .map_err(|error| match error.size_limit() {
                Some(_) => RegexError::TooLarge,
                // What was translated is valid except for its nesting.
                None => RegexError::TooDeep,
            })?;
        let size = automaton.memory_usage() + classes + pattern.len();
        Ok(Self { automaton, size })
    }

    /// What compiling took and keeping takes, in bytes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether the pattern matches somewhere in the text. Like Go's, it matches anywhere unless it is anchored.
    ///
    /// # Errors
    /// [`Exhausted`] when the search takes more steps than are left.
    pub fn is_match(&self, text: &str, work: &mut Work) -> Result<bool, Exhausted> {
        let states = self.automaton.states().len();
        work.read(states)?;
        let mut search = Search {
            automaton: &self.automaton,
            text: text.as_bytes(),
            seen: vec![0; states.div_ceil(64)],
            visited: Vec::new(),
            waiting: Vec::new(),
            pending: Vec::new(),
            work,
        };
        search.run(text)
    }
}

/// What the classes of a translated pattern cost besides the states they become.
fn cost_of_classes(translated: &str) -> usize {
    let classes = translated.matches("p{").count();
    if !translated.contains("(?i") {
        return classes * CLASS;
    }
    let (mut characters, mut low) = (0, None);
    for code in translated.split("\\x{").skip(1) {
        let (digits, rest) = code.split_once('}').unwrap_or((code, ""));
        let code = usize::from_str_radix(digits, 16).unwrap_or_default();
        characters += low.map_or(0, |low| code.saturating_sub(low));
        low = (rest == "-").then_some(code);
    }
    classes * CLASS_IN_ANY_CASE + characters / 2
}

struct Search<'s> {
    automaton: &'s NFA,
    text: &'s [u8],
    /// A bit for each state, set for those that were visited at the current position.
    seen: Vec<u64>,
    visited: Vec<StateID>,
    /// The visited states that wait for a byte.
    waiting: Vec<StateID>,
    /// States that are still to be visited.
    pending: Vec<StateID>,
    work: &'s mut Work,
}

impl Search<'_> {
    fn run(&mut self, text: &str) -> Result<bool, Exhausted> {
        let is_anchored = self.automaton.is_always_start_anchored();
        let mut at = 0;
        let mut current = Vec::new();
        loop {
            // A match never begins or ends inside a character.
            if (at == 0 || !is_anchored) && text.is_char_boundary(at) {
                self.pending.push(self.automaton.start_anchored());
                if self.visit(at)? {
                    return Ok(true);
                }
            }
            let Some(byte) = self.text.get(at) else { return Ok(false) };
            if self.waiting.is_empty() && is_anchored {
                return Ok(false);
            }
            for state in self.visited.drain(..) {
                self.seen[state.as_usize() / 64] &= !(1 << (state.as_usize() % 64));
            }
            std::mem::swap(&mut self.waiting, &mut current);
            for state in current.drain(..) {
                self.step(state, *byte)?;
            }
            at += 1;
            if self.visit(at)? {
                return Ok(true);
            }
        }
    }

    /// Notes where a state leads with this byte.
    fn step(&mut self, state: StateID, byte: u8) -> Result<(), Exhausted> {
        let next = match self.automaton.state(state) {
            State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
            State::Sparse(sparse) => {
                self.work.spend(sparse.transitions.len() as u64 / 4)?;
                sparse.matches_byte(byte)
            }
            State::Dense(dense) => dense.matches_byte(byte),
            _ => None,
        };
        self.pending.extend(next);
        self.work.spend(1)
    }

    /// Visits the pending states and those they lead to without a byte; whether one of them is a match.
    fn visit(&mut self, at: usize) -> Result<bool, Exhausted> {
        while let Some(state) = self.pending.pop() {
            self.work.spend(1)?;
            let (word, bit) = (state.as_usize() / 64, 1 << (state.as_usize() % 64));
            if self.seen[word] & bit != 0 {
                continue;
            }
            self.seen[word] |= bit;
            self.visited.push(state);
            match self.automaton.state(state) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => self.waiting.push(state),
                State::Look { look, next } => {
                    if self.automaton.look_matcher().matches(*look, self.text, at) {
                        self.pending.push(*next);
                    }
                }
                State::Union { alternates } => {
                    self.work.spend(alternates.len() as u64)?;
                    self.pending.extend(alternates);
                }
                State::BinaryUnion { alt1, alt2 } => self.pending.extend([alt1, alt2]),
                State::Capture { next, .. } => self.pending.push(*next),
                State::Fail => {}
                State::Match { .. } => return Ok(true),
            }
        }
        Ok(false)
    }
}
