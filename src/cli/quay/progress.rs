//! A line on the terminal that says how far long work has come.

use std::io::{IsTerminal, Write};

use crate::cli::look::table::printable;

/// Less work than this is done before a line is read.
const WORTH_IT: usize = 6;

/// A longer name would not fit into the line, which could then not be erased.
const LONGEST_NAME: usize = 50;
/// To the beginning of the line, and everything behind it erased.
const ERASE: &str = "\r\x1b[K";

pub(super) struct Progress {
    total: usize,
    done: usize,
    is_shown: bool,
}

impl Progress {
    /// Only a person sees it: output to a file or pipe has none.
    pub(super) fn new(total: usize) -> Self {
        Self { total, done: 0, is_shown: total >= WORTH_IT && std::io::stderr().is_terminal() }
    }

    /// One more is done.
    pub(super) fn step(&mut self, repository: &str) {
        self.done += 1;
        if self.is_shown {
            // A terminal that went away is no reason to stop.
            drop(write!(std::io::stderr(), "{}", self.line(repository)));
        }
    }

    /// Takes the place of the line before.
    fn line(&self, repository: &str) -> String {
        let name: String = printable(repository).chars().take(LONGEST_NAME).collect();
        format!("{ERASE}{}/{}  {name}", self.done, self.total)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            drop(write!(std::io::stderr(), "{ERASE}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_stays_short_and_shows_no_control_characters() {
        let mut progress = Progress { total: 12, done: 0, is_shown: false };
        progress.step("northwind/a");
        assert_eq!(progress.line("northwind/\x1b[2J"), "\r\x1b[K1/12  northwind/\u{fffd}[2J");
        assert!(progress.line(&"x".repeat(500)).len() < 80);
    }
}
