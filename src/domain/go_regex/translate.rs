//! One pass over a pattern in Go's syntax that writes the same expression for the `regex` crate.
//!
//! Flags are resolved on the way, so that what is written carries none: every atom stands for itself, and groups are
//! only written where precedence needs them.

use super::class;
use super::error::RegexError;
use super::frame::{Bounds, Flags, Frame, Item, MAX_HEIGHT};

/// Most Unicode tables in one pattern; each takes several kilobytes while it is compiled.
const MAX_TABLES: usize = 256;

/// Translates a whole pattern.
pub(super) fn translate(pattern: &str) -> Result<String, RegexError> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
        flags: Flags::default(),
        frames: vec![Frame::new(Flags::default(), false, 0)],
        after_repetition: false,
    };
    while !translator.rest.is_empty() {
        let repeated = translator.step()?;
        translator.after_repetition = repeated;
    }
    if translator.frames.len() > 1 {
        return Err(RegexError::MissingParen);
    }
    translator.frame().finish_branch()?;
    // Nothing else that is written looks like this: a brace that stands for itself is escaped.
    if translator.out.matches("p{").count() > MAX_TABLES {
        return Err(RegexError::TooLarge);
    }
    Ok(translator.out)
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    flags: Flags,
    frames: Vec<Frame>,
    after_repetition: bool,
}

impl<'p> Translator<'p> {
    /// Translates the next element and returns whether it was a repetition.
    fn step(&mut self) -> Result<bool, RegexError> {
        let Some(next) = self.rest.chars().next() else { return Ok(false) };
        match next {
            '(' if self.rest.starts_with("(?") => self.flags_or_group()?,
            '(' => {
                self.skip(1);
                self.open(true, self.flags);
            }
            ')' => {
                self.skip(1);
                self.close()?;
            }
            '|' => {
                self.skip(1);
                self.frame().finish_branch()?;
                self.out.push('|');
            }
            '^' => self.assertion(1, if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
            '$' => self.assertion(1, if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
            '.' => self.assertion(1, if self.flags.dot_all { "(?s:.)" } else { "." }),
            '[' => {
                let (atom, rest) = class::bracketed(self.rest, self.flags.fold_case)?;
                self.rest = rest;
                self.atom(&atom);
            }
            '*' | '+' | '?' => {
                self.skip(1);
                self.repetition(None, next)?;
                return Ok(true);
            }
            '{' => match Bounds::parse(self.rest) {
                Some((bounds, rest)) => {
                    self.rest = rest;
                    let bounds = bounds.checked()?;
                    self.repetition(Some(bounds), next)?;
                    return Ok(true);
                }
                None => {
                    self.skip(1);
                    self.literal('{'.into());
                }
            },
            '\\' => self.backslash()?,
            literal => {
                self.skip(literal.len_utf8());
                self.literal(literal.into());
            }
        }
        Ok(false)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the frame of the whole pattern is never popped")
    }

    fn assertion(&mut self, length: usize, atom: &str) {
        self.skip(length);
        self.atom(atom);
    }

    fn atom(&mut self, atom: &str) {
        let start = self.out.len();
        self.out.push_str(atom);
        self.frame().push(Item { start, compound: false, copies: 1, height: 1 });
    }

    fn literal(&mut self, code: u32) {
        let start = self.out.len();
        let fold = self.flags.fold_case;
        match char::from_u32(code) {
            Some(literal) if fold && (literal.is_alphabetic() || !literal.is_ascii()) => {
                self.out.push_str("(?i:");
                class::push_escaped(&mut self.out, literal);
                self.out.push(')');
            }
            Some(literal) => class::push_escaped(&mut self.out, literal),
            // Go accepts surrogates, which no text contains.
            None => self.out.push_str(class::NEVER),
        }
        self.frame().push_literal(start, fold);
    }

    fn open(&mut self, captures: bool, inner_flags: Flags) {
        let frame = Frame::new(self.flags, captures, self.out.len());
        self.frames.push(frame);
        self.flags = inner_flags;
    }

    fn close(&mut self) -> Result<(), RegexError> {
        if self.frames.len() == 1 {
            return Err(RegexError::UnexpectedParen);
        }
        let Some(mut frame) = self.frames.pop() else { return Err(RegexError::UnexpectedParen) };
        let last = frame.last;
        let items = frame.items;
        frame.finish_branch()?;
        self.flags = frame.outer_flags;

        let mut height = frame.branch_height;
        let compound = if frame.branches > 1 {
            self.out.insert_str(frame.start, "(?:");
            self.out.push(')');
            height += 1;
            false
        } else if items == 0 {
            self.out.push_str("(?:)");
            false
        } else {
            items > 1 || last.is_some_and(|item| item.compound)
        };
        if frame.captures {
            height += 1;
        }
        if height > MAX_HEIGHT {
            return Err(RegexError::TooDeep);
        }
        self.frame().push(Item { start: frame.start, compound, copies: frame.copies, height });
        Ok(())
    }

    /// `(?P<name>…`, `(?<name>…`, `(?flags)`, `(?flags:…`.
    fn flags_or_group(&mut self) -> Result<(), RegexError> {
        let text = self.rest;
        let named = match text.strip_prefix("(?P<") {
            Some(named) if !named.is_empty() => Some(named),
            _ => text.strip_prefix("(?<").filter(|named| !named.is_empty()),
        };
        if let Some(named) = named {
            let Some((name, rest)) = named.split_once('>') else { return Err(RegexError::InvalidName) };
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_word) {
                return Err(RegexError::InvalidName);
            }
            self.rest = rest;
            self.open(true, self.flags);
            return Ok(());
        }

        let mut flags = self.flags;
        let mut on = true;
        let mut any = false;
        for (index, flag) in text.bytes().enumerate().skip(2) {
            match flag {
                b'i' => flags.fold_case = on,
                b'm' => flags.multi_line = on,
                b's' => flags.dot_all = on,
                // Greediness decides how much matches, not whether.
                b'U' => {}
                b'-' if on => {
                    on = false;
                    any = false;
                    continue;
                }
                b':' | b')' if on || any => {
                    self.skip(index + 1);
                    if flag == b':' {
                        self.open(false, flags);
                    } else {
                        self.flags = flags;
                    }
                    return Ok(());
                }
                _ => break,
            }
            any = true;
        }
        Err(RegexError::InvalidGroup)
    }

    fn repetition(&mut self, bounds: Option<Bounds>, operator: char) -> Result<(), RegexError> {
        if self.rest.starts_with('?') {
            self.skip(1);
        }
        if self.after_repetition {
            return Err(RegexError::NestedRepetition);
        }
        let Some(item) = self.frame().last else { return Err(RegexError::MissingArgument) };
        if item.compound {
            self.out.insert_str(item.start, "(?:");
            self.out.push(')');
        }
        let copies = match bounds {
            Some(bounds) => {
                bounds.write(&mut self.out);
                bounds.copies(item.copies)?
            }
            None => {
                self.out.push(operator);
                item.copies
            }
        };
        let height = item.height + 1;
        if height > MAX_HEIGHT {
            return Err(RegexError::TooDeep);
        }
        self.frame().repeat(Item { start: item.start, compound: true, copies, height });
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), RegexError> {
        match self.rest.as_bytes().get(1) {
            Some(b'A') => self.assertion(2, r"\A"),
            Some(b'z') => self.assertion(2, r"\z"),
            Some(b'b') => self.assertion(2, r"(?-u:\b)"),
            Some(b'B') => self.assertion(2, r"(?-u:\B)"),
            Some(b'Q') => {
                let quoted = &self.rest[2..];
                let (literals, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                self.rest = rest;
                for literal in literals.chars() {
                    self.literal(literal.into());
                }
            }
            _ => {
                if let Some((atom, rest)) = class::escaped(self.rest, self.flags.fold_case)? {
                    self.rest = rest;
                    self.atom(&atom);
                } else {
                    let (code, rest) = class::escaped_char(self.rest)?;
                    self.rest = rest;
                    self.literal(code);
                }
            }
        }
        Ok(())
    }
}
