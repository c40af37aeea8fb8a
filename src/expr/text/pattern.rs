//! What regular expressions cost.
//!
//! A search takes time in proportion to the text and, at worst, to the size of the program, which repetitions blow
//! up. The size is estimated from the source, generously.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::go_regex::{self, Pattern, RegexError};
use crate::expr::{CompileBudget, CompileError, ErrorClass};

/// Steps for the patterns that one program spells out: some thousand ordinary ones.
const MAX_COMPILE_COST: u64 = 50_000_000;

/// The patterns of one program. They are compiled once although two stages need them.
pub(in crate::expr) struct Patterns {
    known: HashMap<String, Arc<Pattern>>,
    cost: u64,
    budget: CompileBudget,
}

impl Patterns {
    /// No patterns yet.
    pub(in crate::expr) fn new(budget: CompileBudget) -> Self {
        Self { known: HashMap::new(), cost: 0, budget }
    }

    /// What compiling the patterns has left.
    pub(in crate::expr) const fn left(&self) -> CompileBudget {
        self.budget
    }

    /// The pattern of that source, which stands at that position of the program.
    pub(in crate::expr) fn get(&mut self, source: &str, position: usize) -> Result<Arc<Pattern>, CompileError> {
        if let Some(known) = self.known.get(source) {
            return Ok(Arc::clone(known));
        }
        let cost = compile_cost(source);
        self.budget.spend(cost)?;
        self.cost = self.cost.saturating_add(cost);
        if self.cost > MAX_COMPILE_COST {
            return Err(CompileError::new(ErrorClass::Limit, "the regular expressions are too large"));
        }
        let pattern = go_regex::compile_shared(source).map_err(|error| match class(error) {
            ErrorClass::Limit => CompileError::new(ErrorClass::Limit, "the regular expression is too large"),
            _ => CompileError::invalid("invalid regular expression", position),
        })?;
        self.known.insert(source.to_owned(), Arc::clone(&pattern));
        Ok(pattern)
    }
}

/// Whether a pattern is wrong, or merely more than this program is willing to work with.
pub(in crate::expr) const fn class(error: RegexError) -> ErrorClass {
    match error {
        RegexError::TooDeep | RegexError::TooLong | RegexError::TooLarge => ErrorClass::Limit,
        _ => ErrorClass::Value,
    }
}

/// Steps for compiling a pattern.
pub(in crate::expr) fn compile_cost(pattern: &str) -> u64 {
    20_000 + weight(pattern).saturating_mul(50)
}

/// Steps for searching a text of that many bytes. At worst every state of the program is looked at for every byte.
pub(in crate::expr) fn search_cost(pattern: &str, text: usize) -> u64 {
    1 + (text as u64).saturating_mul(2 + weight(pattern)) / 2
}

/// About the number of states of the program.
fn weight(pattern: &str) -> u64 {
    // The weight of every open group, and of the last item in each.
    let mut groups = vec![(0_u64, 0_u64)];
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let Some((total, last)) = groups.last_mut() else { break };
        let item = match c {
            '(' => {
                groups.push((0, 0));
                continue;
            }
            ')' => {
                let inner = total.saturating_add(*last);
                if groups.len() > 1 {
                    groups.pop();
                }
                inner
            }
            '{' => {
                let counts: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let count = counts.split(',').filter_map(|count| count.parse::<u64>().ok()).max().unwrap_or(1);
                *last = last.saturating_mul(count.max(1));
                continue;
            }
            '*' | '+' | '?' => continue,
            '\\' => match chars.next() {
                Some('p' | 'P') => 16,
                _ => 1,
            },
            '[' => 4,
            _ => 1,
        };
        if let Some((total, last)) = groups.last_mut() {
            *total = total.saturating_add(std::mem::replace(last, item));
        }
    }
    groups.into_iter().fold(1, |sum, (total, last)| sum.saturating_add(total).saturating_add(last))
}
