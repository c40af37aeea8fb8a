//! Reading the members of an object as Go's `encoding/json` fills a struct: keys in any case, null for nothing,
//! another type an error.

use serde_json::{Map, Value};

use super::error::{SubscriptionProblem, wrong_type};

pub(super) struct Fields<'v> {
    /// Where the object is, for messages.
    place: &'v str,
    object: &'v Map<String, Value>,
}

impl<'v> Fields<'v> {
    pub(super) fn new(place: &'v str, object: &'v Map<String, Value>) -> Self {
        Self { place, object }
    }

    /// A member that is neither absent nor null.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        let exact = self.object.get(name);
        let found =
            exact.or_else(|| self.object.iter().find(|(key, _)| is_same_key(key, name)).map(|(_, value)| value));
        found.filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<&'v str, SubscriptionProblem> {
        match self.get(name) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong_type(name, "a text", other)),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'v str>, SubscriptionProblem> {
        let list = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(self.wrong_type(name, "a list of texts", other)),
        };
        list.iter()
            .map(|entry| match entry {
                Value::Null => Ok(""),
                Value::String(text) => Ok(text.as_str()),
                other => Err(self.wrong_type(&format!("every entry of {name}"), "a text", other)),
            })
            .collect()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, SubscriptionProblem> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong_type(name, "true or false", other)),
        }
    }

    /// Checks a whole number whose value is of no interest.
    pub(super) fn integer(&self, name: &str) -> Result<(), SubscriptionProblem> {
        match self.get(name) {
            Some(other) if !other.is_i64() => Err(self.wrong_type(name, "a whole number", other)),
            _ => Ok(()),
        }
    }

    fn wrong_type(&self, name: &str, expected: &'static str, found: &Value) -> SubscriptionProblem {
        wrong_type(format!("{}.{name}", self.place), expected, found)
    }
}

/// Keys are equal up to case, by Unicode's simple folding: the long s and the Kelvin sign are letters, too.
fn is_same_key(key: &str, name: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars().map(fold))
}
