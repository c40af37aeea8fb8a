//! What is known about the groups that are open while a pattern is read: where they began, which flags hold outside of
//! them, and the heights and repetitions on which Go's limits depend.

use super::error::RegexError;

/// Deepest nesting of operators that Go compiles.
pub(super) const MAX_HEIGHT: u32 = 1000;
/// Most copies that repetitions, multiplied along their nesting, may ask for.
const MAX_REPEAT: u32 = 1000;

#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) fold_case: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
}

/// The last thing written in a sequence, to which a repetition would apply.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) start: usize,
    /// Must be put in a group before it can be repeated.
    pub(super) compound: bool,
    /// Copies its nested repetitions ask for.
    pub(super) copies: u32,
    pub(super) height: u32,
}

/// An open group; the bottom one is the pattern itself.
pub(super) struct Frame {
    pub(super) outer_flags: Flags,
    pub(super) captures: bool,
    pub(super) start: usize,
    /// Finished alternatives, and the height of the tallest.
    pub(super) branches: u32,
    pub(super) branch_height: u32,
    /// The sequence being read: its nodes as Go counts them, a run of literals being one.
    nodes: u32,
    literal_run: u32,
    literal_fold: bool,
    height: u32,
    pub(super) copies: u32,
    /// How many items that sequence has.
    pub(super) items: u32,
    pub(super) last: Option<Item>,
}

impl Frame {
    pub(super) fn new(outer_flags: Flags, captures: bool, start: usize) -> Self {
        Self {
            outer_flags,
            captures,
            start,
            branches: 0,
            branch_height: 0,
            nodes: 0,
            literal_run: 0,
            literal_fold: false,
            height: 0,
            copies: 1,
            items: 0,
            last: None,
        }
    }

    pub(super) fn push(&mut self, item: Item) {
        self.literal_run = 0;
        self.nodes += 1;
        self.add(item);
    }

    pub(super) fn push_literal(&mut self, start: usize, fold: bool) {
        if self.literal_run == 0 || self.literal_fold != fold {
            self.nodes += 1;
            self.literal_run = 0;
        }
        self.literal_run += 1;
        self.literal_fold = fold;
        self.add(Item { start, compound: false, copies: 1, height: 1 });
    }

    fn add(&mut self, item: Item) {
        self.settle_last();
        self.items += 1;
        self.height = self.height.max(item.height);
        self.last = Some(item);
    }

    /// Counts the last item, once no repetition can follow it any more: `{0}` makes its copies disappear.
    fn settle_last(&mut self) {
        if let Some(last) = self.last.take() {
            self.copies = self.copies.max(last.copies);
        }
    }

    /// Replaces the last item by its repetition.
    pub(super) fn repeat(&mut self, item: Item) {
        if self.literal_run > 1 {
            self.nodes += 1;
        }
        self.literal_run = 0;
        self.height = self.height.max(item.height);
        self.last = Some(item);
    }

    /// Ends the sequence being read and begins another.
    pub(super) fn finish_branch(&mut self) -> Result<(), RegexError> {
        let height = if self.nodes > 1 { self.height + 1 } else { self.height.max(1) };
        self.branches += 1;
        self.branch_height = self.branch_height.max(height);
        self.nodes = 0;
        self.literal_run = 0;
        self.height = 0;
        self.items = 0;
        self.settle_last();
        if height > MAX_HEIGHT { Err(RegexError::TooDeep) } else { Ok(()) }
    }
}

/// `{min}`, `{min,}` or `{min,max}`.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    min: u32,
    max: Option<u32>,
}

impl Bounds {
    /// `None` when the text does not have the form of a repetition; then the brace is a literal.
    pub(super) fn parse(text: &str) -> Option<(Self, &str)> {
        let (min, rest) = Self::number(text.strip_prefix('{')?)?;
        let (max, rest) = match rest.strip_prefix(',') {
            None => (Some(min), rest),
            Some(rest) if rest.starts_with('}') => (None, rest),
            Some(rest) => {
                let (max, rest) = Self::number(rest)?;
                (Some(max), rest)
            }
        };
        Some((Self { min, max }, rest.strip_prefix('}')?))
    }

    /// A number without leading zeros; one that is too large for the type is too large for a repetition as well.
    fn number(text: &str) -> Option<(u32, &str)> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let well_formed = !digits.is_empty() && (digits.len() == 1 || !digits.starts_with('0'));
        well_formed.then(|| (digits.parse().unwrap_or(u32::MAX), rest))
    }

    pub(super) fn checked(self) -> Result<Self, RegexError> {
        let max = self.max.unwrap_or(self.min);
        if self.min > MAX_REPEAT || max > MAX_REPEAT || self.min > max {
            return Err(RegexError::InvalidRepeat);
        }
        Ok(self)
    }

    /// The copies of the innermost thing, given those of what is repeated.
    pub(super) fn copies(self, inner: u32) -> Result<u32, RegexError> {
        let times = self.max.unwrap_or(self.min);
        if self.max == Some(0) {
            return Ok(1);
        }
        let copies = times.max(1).saturating_mul(inner);
        if times >= 2 && copies > MAX_REPEAT { Err(RegexError::InvalidRepeat) } else { Ok(copies) }
    }

    pub(super) fn write(self, out: &mut String) {
        let text = match self.max {
            Some(max) if max == self.min => format!("{{{max}}}"),
            Some(max) => format!("{{{},{max}}}", self.min),
            None => format!("{{{},}}", self.min),
        };
        out.push_str(&text);
    }
}
