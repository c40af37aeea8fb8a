//! What can be wrong with an expression, in words that reveal nothing of it.

use std::fmt;

use thiserror::Error;

/// The kind of an error; safe to show to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The source is not an expression.
    Syntax,
    /// A value has the wrong type for what is done with it.
    Type,
    /// A member of nil.
    NilMember,
    /// A call of nil, which is what unknown functions are.
    NilCall,
    /// An index beyond the end of a list or string.
    Index,
    /// The type is right but the value is not, such as a date that is none.
    Value,
    /// A limit on size, depth, work or memory.
    Limit,
    /// The result of a template is not a string.
    NotText,
}

impl ErrorClass {
    /// Its name, for answers and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Type => "type",
            Self::NilMember => "nil_member",
            Self::NilCall => "nil_call",
            Self::Index => "index",
            Self::Value => "value",
            Self::Limit => "limit",
            Self::NotText => "not_text",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an expression cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} ({class})")]
pub struct CompileError {
    class: ErrorClass,
    message: &'static str,
    position: Option<usize>,
}

impl CompileError {
    pub(super) const fn new(class: ErrorClass, message: &'static str) -> Self {
        Self { class, message, position: None }
    }

    pub(super) const fn syntax(message: &'static str, position: usize) -> Self {
        Self { class: ErrorClass::Syntax, message, position: Some(position) }
    }

    pub(super) const fn mismatch(message: &'static str, position: usize) -> Self {
        Self { class: ErrorClass::Type, message, position: Some(position) }
    }

    pub(super) const fn invalid(message: &'static str, position: usize) -> Self {
        Self { class: ErrorClass::Value, message, position: Some(position) }
    }

    pub(super) const fn nil_member(position: usize) -> Self {
        Self { class: ErrorClass::NilMember, message: "nil has no members", position: Some(position) }
    }

    /// The kind of the error.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        self.class
    }

    /// What is wrong.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// Where in the source it is, in bytes, if it is anywhere in particular.
    #[must_use]
    pub const fn position(&self) -> Option<usize> {
        self.position
    }
}

/// Why an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} ({class})")]
pub struct RunError {
    class: ErrorClass,
    message: &'static str,
}

impl RunError {
    pub(super) const fn new(class: ErrorClass, message: &'static str) -> Self {
        Self { class, message }
    }

    /// The kind of the error.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        self.class
    }

    /// What is wrong.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }
}

/// Fails because a value has the wrong type.
pub(super) fn type_error<T>(message: &'static str) -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Type, message))
}

/// Why a template cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// An expression cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// An expression failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The end of an expression is missing.
    #[error("{} ({})", self.message(), self.class())]
    Unclosed,
    /// The result is a number, a boolean or anything else but a string.
    #[error("{} ({})", self.message(), self.class())]
    NotText,
}

impl TemplateError {
    /// The kind of the error.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Compile(error) => error.class(),
            Self::Run(error) => error.class(),
            Self::Unclosed => ErrorClass::Syntax,
            Self::NotText => ErrorClass::NotText,
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Compile(error) => error.message(),
            Self::Run(error) => error.message(),
            Self::Unclosed => "an expression is not closed",
            Self::NotText => "the result is not a string; quote() makes it one",
        }
    }

    /// Where in the source of its expression it is, in bytes, if it is anywhere in particular.
    #[must_use]
    pub const fn position(&self) -> Option<usize> {
        match self {
            Self::Compile(error) => error.position(),
            Self::Run(_) | Self::Unclosed | Self::NotText => None,
        }
    }
}
