//! A line on the terminal that says how far long work has come.

use std::io::{IsTerminal, Write};

use crate::cli::look::table::printable;

/// Less work than this is done before a line is read.
const WORTH_IT: usize = 6;

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
            drop(write!(std::io::stderr(), "\r\x1b[K{}/{}  {}", self.done, self.total, printable(repository)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}
