//! Kargo's templates: text with expressions between `${{ }}` or `${% %}`.
//!
//! The contract's source is Kargo's `pkg/expressions`. What a template yields is guessed from its text: a result that
//! looks like a number, a boolean or JSON becomes one, unless it is between double quotes.

use super::dialect::Dialect;
use super::text::json_read::parse_json;
use super::text::json_write::to_json;
use super::text::number::parse_float;
use super::{Budget, CompileBudget, CompileError, Env, ErrorClass, Program, TemplateError, Value, limits, value};

/// Longest template that is looked at, in bytes.
const MAX_TEMPLATE_LEN: usize = limits::MAX_SOURCE_LEN;

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    /// Without any expression, the text stays a string whatever it looks like.
    is_plain: bool,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Program(Program),
    /// Compiled when it is reached, which it is unless an earlier part fails.
    Broken(CompileError),
    /// Text that is not closed.
    Unclosed,
}

impl Template {
    /// Splits a template and compiles its expressions. What is wrong with an expression shows when the template is
    /// rendered; [`first_error`](Self::first_error) reports it earlier.
    ///
    /// # Errors
    /// When the template is longer than this program is willing to read. What compiling costs is taken from the budget.
    pub fn parse(template: &str, budget: &mut CompileBudget) -> Result<Self, TemplateError> {
        if template.len() > MAX_TEMPLATE_LEN {
            let error = CompileError::new(ErrorClass::Limit, "the template is too long");
            return Err(TemplateError::Compile(error));
        }
        let mut parts = Vec::new();
        let mut rest = template;
        let mut is_plain = true;
        while let Some((at, end)) = next_delimiter(rest) {
            is_plain = false;
            let after = &rest[at + 3..];
            let Some(length) = after.find(end) else {
                parts.push(Part::Unclosed);
                return Ok(Self { is_plain, parts });
            };
            parts.push(Part::Text(rest[..at].to_owned()));
            rest = &after[length + end.len()..];
            if length == 0 {
                // Upstream takes an empty expression for the end of all expressions.
                break;
            }
            let program = Program::compile_as(&after[..length], Dialect::Template, budget);
            parts.push(program.map_or_else(Part::Broken, Part::Program));
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { is_plain, parts })
    }

    /// The text, if nothing in it is evaluated.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        if self.is_plain { self.parts.first().map_or(Some(""), Part::text) } else { None }
    }

    /// Why the template can never be rendered, if so.
    #[must_use]
    pub fn first_error(&self) -> Option<TemplateError> {
        self.parts.iter().find_map(|part| match part {
            Part::Broken(error) => Some(TemplateError::Compile(error.clone())),
            Part::Unclosed => Some(TemplateError::Unclosed),
            Part::Text(_) | Part::Program(_) => None,
        })
    }

    /// Evaluates the expressions and guesses the type of the result. What that costs is taken from the budget.
    ///
    /// # Errors
    /// When an expression cannot be compiled or run, a value cannot be written as JSON, or the budget does not suffice.
    pub fn render(&self, env: &Env, budget: &mut Budget) -> Result<Value, TemplateError> {
        if let Some(text) = self.constant() {
            return Ok(Value::text(text));
        }
        let mut out: Vec<u8> = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Broken(error) => return Err(TemplateError::Compile(error.clone())),
                Part::Unclosed => return Err(TemplateError::Unclosed),
                Part::Program(program) => {
                    let value = program.run(env, budget)?;
                    metered(budget, |meter| insert(&value, &mut out, meter))?;
                }
            }
        }
        // Whatever the text turns out to be, it is read and perhaps copied.
        metered(budget, |meter| meter.work(2 * out.len() as u64).and_then(|()| meter.allocate(16 * out.len())))?;
        Ok(guess(&out))
    }

    /// Renders to a string, which is what criteria need.
    ///
    /// # Errors
    /// As for [`render`](Self::render), and when the result is not a string, or not UTF-8.
    pub fn render_text(&self, env: &Env, budget: &mut Budget) -> Result<String, TemplateError> {
        let value = self.render(env, budget)?;
        value.as_str().map(str::to_owned).ok_or(TemplateError::NotText)
    }
}

impl Part {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Does what needs a meter at the expense of a budget.
fn metered<T>(
    budget: &mut Budget,
    work: impl FnOnce(&mut limits::Meter) -> Result<T, super::RunError>,
) -> Result<T, super::RunError> {
    let mut meter = limits::Meter::new(*budget);
    let done = work(&mut meter);
    *budget = meter.left();
    done
}

/// Strings are inserted as they are, everything else as JSON.
fn insert(value: &Value, out: &mut Vec<u8>, meter: &mut limits::Meter) -> Result<(), super::RunError> {
    if let Value::Text(text) = value {
        meter.allocate(text.len())?;
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(to_json(value, false, meter)?.as_bytes());
    }
    Ok(())
}

/// Where the next expression begins, and what ends it.
fn next_delimiter(text: &str) -> Option<(usize, &'static str)> {
    let braces = text.find("${{").map(|at| (at, "}}"));
    let percents = text.find("${%").map(|at| (at, "%}"));
    braces.into_iter().chain(percents).min()
}

/// What a text stands for.
fn guess(text: &[u8]) -> Value {
    let (bare, end) = text.strip_suffix(b"\n").map_or((text, &b""[..]), |bare| (bare, b"\n"));
    let string = |text: &[u8]| Value::Text(value::Text::from([text, end].concat()));
    if bare.len() > 1
        && let Some(inner) = bare.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""))
    {
        return string(inner);
    }
    if let Some(number) = parse_float(bare) {
        return Value::Float(number);
    }
    match bare {
        b"t" | b"T" | b"true" | b"TRUE" | b"True" => return Value::Bool(true),
        b"f" | b"F" | b"false" | b"FALSE" | b"False" => return Value::Bool(false),
        _ => {}
    }
    parse_json(bare).unwrap_or_else(|_| string(bare))
}
