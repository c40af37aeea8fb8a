//! Making values, and looking at them.

use super::data::{Elem, List, Map, Value};
use super::text::Text;

impl Value {
    /// A string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Text::from(text))
    }

    /// A list of anything.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(List::new(Elem::Any, items))
    }

    /// A map with string keys.
    #[must_use]
    pub fn object(members: impl IntoIterator<Item = (Text, Self)>) -> Self {
        Self::Map(Map::of_members(members))
    }

    /// The string, unless this is something else or not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { text.as_str() } else { None }
    }

    /// The boolean, unless this is something else.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Nil in Go's sense: no value, or a list that is nil.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_nil(),
            _ => false,
        }
    }

    /// The integer behind any of the plain integer types.
    pub(in crate::expr) const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Int64(value) => Some(*value),
            Self::Uint8(value) => Some(*value as i64),
            _ => None,
        }
    }

    /// The number behind any of the plain numeric types.
    pub(in crate::expr) const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Int(value) | Self::Int64(value) => Some(*value as f64),
            Self::Uint8(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The name of its Go type, as Go prints it.
    #[must_use]
    pub fn go_type(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) => list.elem().go_type(),
            Self::Map(map) => map.kind().go_type(),
            Self::Func(func) => func.go_type(),
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Month(_) => "time.Month",
            Self::Weekday(_) => "time.Weekday",
            Self::Zone(_) => "*time.Location",
            Self::ZoneValue(_) => "time.Location",
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::text(value)
    }
}

impl From<Text> for Value {
    fn from(value: Text) -> Self {
        Self::Text(value)
    }
}

/// What Go's `encoding/json` makes of a document: every number is a `float64`.
impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(items) => Self::list(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                Self::object(members.iter().map(|(key, value)| (Text::from(key.as_str()), Self::from(value))))
            }
        }
    }
}
