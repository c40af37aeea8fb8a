//! What is wrong with an action: found when it is compiled, or only when it meets a request.

use std::fmt;

use crate::expr::{CompileError, ErrorClass, RunError, TemplateError};

/// Why an action cannot be carried out. Nothing of it comes from a request, nor from an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The kind of the mistake, from a closed list.
    pub(super) class: &'static str,
    /// The path of the field below the action.
    place: String,
    what: &'static str,
    /// Where in an expression of the field, in bytes.
    position: Option<usize>,
}

/// What a mistake in the value of a field is called; mistakes in expressions are called by their [`ErrorClass`].
pub(super) const SELECTOR: &str = "selector";

impl Mistake {
    /// A selector that can select nothing, whatever the request.
    pub(super) fn in_selector(place: impl Into<String>, what: &'static str) -> Self {
        Self { class: SELECTOR, place: place.into(), what, position: None }
    }

    /// An expression that is refused or fails.
    fn in_expression(class: ErrorClass, what: &'static str, position: Option<usize>) -> Self {
        Self { class: class.as_str(), place: String::new(), what, position }
    }

    /// The result of an expression is not what it should be.
    pub(super) fn wrong_type(what: &'static str) -> Self {
        Self::in_expression(ErrorClass::Type, what, None)
    }

    /// The same mistake seen from the field that contains the place.
    pub(super) fn within(mut self, outer: &str) -> Self {
        self.place = match self.place.as_str() {
            "" => outer.to_owned(),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

impl From<&CompileError> for Mistake {
    fn from(error: &CompileError) -> Self {
        Self::in_expression(error.class(), error.message(), error.position())
    }
}

impl From<RunError> for Mistake {
    fn from(error: RunError) -> Self {
        Self::in_expression(error.class(), error.message(), None)
    }
}

impl From<TemplateError> for Mistake {
    fn from(error: TemplateError) -> Self {
        Self::in_expression(error.class(), error.message(), error.position())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, place, what, position } = self;
        write!(f, "{place}: {what} ({class}")?;
        if let Some(position) = position {
            write!(f, ", at byte {position} of the expression")?;
        }
        f.write_str(")")
    }
}
