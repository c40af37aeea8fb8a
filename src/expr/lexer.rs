//! Splits a source into tokens.

mod escape;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::CompileError;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identifier,
    Number,
    /// A string literal; the text is its content.
    Text,
    /// A bytes literal.
    Bytes,
    /// An operator, which may be a word.
    Operator,
    Bracket,
    End,
}

/// A token and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: Cow<'a, str>,
    /// The content of a bytes literal.
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
}

impl Token<'_> {
    pub(super) fn is(&self, kind: Kind, text: &str) -> bool {
        self.kind == kind && self.text == text
    }
}

/// All tokens of a source; the last one is the end.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, CompileError> {
    let mut lexer = Lexer { source, at: 0, start: 0, tokens: Vec::new() };
    while lexer.token()? {}
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Where the current token begins.
    start: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let is_valid = self.peek().is_some_and(|next| valid.contains(next));
        if is_valid {
            self.next();
        }
        is_valid
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn accept_word(&mut self) {
        while self.peek().is_some_and(is_word) {
            self.next();
        }
    }

    fn word(&self) -> &'a str {
        &self.source[self.start..self.at]
    }

    fn emit(&mut self, kind: Kind) {
        self.emit_text(kind, self.word().into());
    }

    fn emit_text(&mut self, kind: Kind, text: Cow<'a, str>) {
        self.tokens.push(Token { kind, text, bytes: Vec::new(), at: self.start });
        self.start = self.at;
    }

    fn error(&self, message: &'static str) -> CompileError {
        CompileError::syntax(message, self.at)
    }

    /// Reads one token, or a space or a comment; false at the end.
    fn token(&mut self) -> Result<bool, CompileError> {
        self.start = self.at;
        let Some(first) = self.next() else {
            self.emit(Kind::End);
            return Ok(false);
        };
        match first {
            _ if first.is_whitespace() => {}
            '\'' | '"' => {
                let text = self.quoted(first)?;
                self.emit_text(Kind::Text, text.into());
            }
            '`' => {
                let text = self.raw()?;
                self.emit_text(Kind::Text, text);
            }
            'b' | 'B' if matches!(self.peek(), Some('\'' | '"')) => {
                let quote = self.next().unwrap_or_default();
                let end = self.quoted_end(quote)?;
                let content = &self.source[self.start + 2..end];
                let bytes = escape::bytes(content).ok_or_else(|| self.error("invalid char escape"))?;
                self.tokens.push(Token { kind: Kind::Bytes, text: "".into(), bytes, at: self.start });
            }
            '0'..='9' => {
                self.at = self.start;
                self.number()?;
            }
            '?' => {
                self.accept(".?");
                self.emit(Kind::Operator);
            }
            '/' => self.slash()?,
            '#' => self.pointer(),
            '|' | ':' => {
                self.accept(if first == '|' { "|" } else { ":" });
                self.emit(Kind::Operator);
            }
            '(' | '[' | '{' | ')' | ']' | '}' => self.emit(Kind::Bracket),
            ',' | ';' | '%' | '+' | '-' | '^' => self.emit(Kind::Operator),
            '&' | '!' | '=' | '*' | '<' | '>' => {
                self.accept("&=*");
                self.emit(Kind::Operator);
            }
            '.' => {
                if self.peek().is_some_and(|next| next.is_ascii_digit()) {
                    self.number()?;
                } else {
                    self.accept(".");
                    self.emit(Kind::Operator);
                }
            }
            _ if is_word(first) => {
                self.accept_word();
                self.emit(if is_keyword(self.word()) { Kind::Operator } else { Kind::Identifier });
            }
            _ => return Err(self.error("unrecognized character")),
        }
        Ok(true)
    }

    fn number(&mut self) -> Result<(), CompileError> {
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        let end = self.at;
        if self.accept(".") {
            if self.peek() == Some('.') {
                // The dots of a range.
                self.at = end;
                self.emit(Kind::Number);
                return Ok(());
            }
            self.accept_run(digits);
        }
        if self.accept("eE") {
            self.accept("+-");
            self.accept_run(digits);
        }
        if self.peek().is_some_and(is_word) {
            return Err(self.error("bad number syntax"));
        }
        self.emit(Kind::Number);
        Ok(())
    }

    fn slash(&mut self) -> Result<(), CompileError> {
        let rest = &self.source[self.at..];
        if rest.starts_with('/') {
            self.at = rest.find('\n').map_or(self.source.len(), |end| self.at + end + 1);
        } else if let Some(comment) = rest.strip_prefix('*') {
            let end = comment.find("*/").ok_or_else(|| self.error("unclosed comment"))?;
            self.at += 1 + end + 2;
        } else {
            self.emit(Kind::Operator);
        }
        Ok(())
    }

    /// `#` and the name that follows it at once, be it a keyword.
    fn pointer(&mut self) {
        self.accept("#");
        self.emit(Kind::Operator);
        self.accept_word();
        if !self.word().is_empty() {
            self.emit(Kind::Identifier);
        }
    }

    /// The end of the content of a quoted literal whose quote has been read.
    fn quoted_end(&mut self, quote: char) -> Result<usize, CompileError> {
        loop {
            let end = self.at;
            match self.next() {
                None | Some('\n') => return Err(self.error("literal not terminated")),
                Some(next) if next == quote => return Ok(end),
                Some('\\') => {
                    let length = escape::length(&self.source[self.at..], quote);
                    self.at += length.ok_or_else(|| self.error("invalid char escape"))?;
                }
                Some(_) => {}
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, CompileError> {
        let end = self.quoted_end(quote)?;
        escape::text(&self.source[self.start + 1..end]).ok_or_else(|| self.error("unable to unescape string"))
    }

    /// A literal between backticks; two of them stand for one.
    fn raw(&mut self) -> Result<Cow<'a, str>, CompileError> {
        let begin = self.at;
        let mut is_escaped = false;
        loop {
            let end = self.at;
            match self.next() {
                None => return Err(self.error("literal not terminated")),
                Some('`') if self.accept("`") => is_escaped = true,
                Some('`') => {
                    let content = &self.source[begin..end];
                    return Ok(if is_escaped { content.replace("``", "`").into() } else { content.into() });
                }
                Some(_) => {}
            }
        }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "not" | "in" | "or" | "and" | "matches" | "contains" | "startsWith" | "endsWith" | "let" | "if" | "else"
    )
}

/// Letters and decimal digits of any script.
static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\p{L}\p{Nd}]").ok());
static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{L}").ok());

fn is_word(c: char) -> bool {
    matches!(c, '_' | '$') || if c.is_ascii() { c.is_ascii_alphanumeric() } else { is_in(&WORD, c) }
}

fn is_in(class: &Option<Regex>, c: char) -> bool {
    class.as_ref().is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

/// Whether a text could be a name, which keywords are too.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter =
        |c: char| matches!(c, '_' | '$') || if c.is_ascii() { c.is_ascii_alphabetic() } else { is_in(&LETTER, c) };
    text.chars().next().is_some_and(is_letter) && text.chars().all(is_word)
}
