//! Request bodies, read the way Go's `encoding/json` reads them, because that is what senders have been tested against.
//!
//! Differences to plain `serde_json` that real senders or the recorded verdicts need: object keys match without regard
//! to case; an unused member is checked for syntax only, so a number beyond `f64` or a tree of 10,000 levels
//! is fine there; invalid UTF-8 and lone surrogates are replaced, not refused; of duplicate scalars the last one that
//! is not null wins. Members stay unparsed text until they are asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper nesting is refused, as Go does.
const MAX_DEPTH: usize = 10_000;

/// The body is not JSON, or a member has a type that cannot be read as what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::receiver) struct Malformed;

/// A body without the byte order mark that some senders on Windows write in front of it.
#[must_use]
pub(in crate::receiver) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

/// Brings a body into a form that [`Value::parse`] can borrow from.
///
/// # Errors
/// [`Malformed`] when it nests too deeply.
pub(in crate::receiver) fn prepared(body: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    let text = String::from_utf8_lossy(without_mark(body));
    if exceeds_depth(text.as_bytes()) {
        return Err(Malformed);
    }
    Ok(without_lone_surrogates(text))
}

fn exceeds_depth(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Replaces every `\uD800`–`\uDFFF` escape that is not part of a pair by `\ufffd`.
fn without_lone_surrogates(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return text;
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('\\') {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (code_unit(rest), rest.get(6..).and_then(code_unit)) {
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => 12,
            (Some(0xD800..0xE000), _) => {
                kept.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // The escaped character is skipped with its backslash, so that `\\ud800` stays text.
            _ => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        kept.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// The code unit of a `\uXXXX` escape at the beginning of the text.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// A JSON value whose syntax is known to be right and whose content is not read yet.
#[derive(Clone, Copy, Debug)]
pub(in crate::receiver) struct Value<'a>(&'a str);

/// The members of an object in the order of the document.
#[derive(Default)]
pub(in crate::receiver) struct Object<'a>(Vec<(String, Value<'a>)>);

impl<'a> Value<'a> {
    /// Checks the syntax of a whole document.
    ///
    /// # Errors
    /// [`Malformed`] when it is not one JSON value.
    pub(in crate::receiver) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|_| Malformed)?;
        Ok(Self(raw.get()))
    }

    /// Whether the value is `null`.
    #[must_use]
    pub(in crate::receiver) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The members; none for `null`, as in Go.
    ///
    /// # Errors
    /// [`Malformed`] for any other type.
    pub(in crate::receiver) fn object(self) -> Result<Object<'a>, Malformed> {
        if self.is_null() {
            return Ok(Object(Vec::new()));
        }
        let Members(members) = serde_json::from_str(self.0).map_err(|_| Malformed)?;
        Ok(Object(members.into_iter().map(|(key, raw)| (key, Value(raw.get()))).collect()))
    }

    /// The elements of an array, `None` for any other type.
    #[must_use]
    pub(in crate::receiver) fn array(self) -> Option<Vec<Self>> {
        let Elements(elements) = self.0.starts_with('[').then(|| serde_json::from_str(self.0).ok())??;
        Some(elements.into_iter().map(|raw| Value(raw.get())).collect())
    }

    /// The text of a string, `None` for any other type.
    #[must_use]
    pub(in crate::receiver) fn string(self) -> Option<String> {
        self.0.starts_with('"').then(|| serde_json::from_str(self.0).ok())?
    }

    /// The text of a number as it stands in the document, `None` for any other type.
    #[must_use]
    pub(in crate::receiver) fn number(self) -> Option<&'a str> {
        self.0.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then_some(self.0)
    }

    /// Whether the value is an object.
    #[must_use]
    pub(in crate::receiver) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }
}

impl<'a> Object<'a> {
    /// Every value of that member, in document order; keys are compared as Go compares them.
    pub(in crate::receiver) fn all(&self, key: &str) -> impl Iterator<Item = Value<'a>> + '_ {
        let key = key.to_owned();
        self.0.iter().filter(move |(found, _)| same_key(found, &key)).map(|(_, value)| *value)
    }

    /// The last value of that member that is not null.
    #[must_use]
    pub(in crate::receiver) fn last(&self, key: &str) -> Option<Value<'a>> {
        self.all(key).filter(|value| !value.is_null()).last()
    }

    /// Whether the member is there, whatever its value.
    #[must_use]
    pub(in crate::receiver) fn has(&self, key: &str) -> bool {
        self.all(key).next().is_some()
    }

    /// The text of a string member: the last one that is not null, empty when there is none.
    ///
    /// # Errors
    /// [`Malformed`] when any of them is neither a string nor null.
    pub(in crate::receiver) fn text(&self, key: &str) -> Result<String, Malformed> {
        let mut text = String::new();
        for value in self.all(key).filter(|value| !value.is_null()) {
            text = value.string().ok_or(Malformed)?;
        }
        Ok(text)
    }

    /// An object member: the members of all of that name together, so that the last one counts within it, too; empty
    /// when there is none.
    ///
    /// # Errors
    /// [`Malformed`] when any of them is neither an object nor null.
    pub(in crate::receiver) fn object(&self, key: &str) -> Result<Self, Malformed> {
        let mut merged = Self::default();
        for value in self.all(key) {
            merged.0.extend(value.object()?.0);
        }
        Ok(merged)
    }

    /// The elements of a member that is a list of objects; of several such members, the later ones are read over the
    /// earlier ones, element by element, and the last one decides how many there are.
    ///
    /// # Errors
    /// [`Malformed`] when any of them is neither a list of objects or nulls nor null.
    pub(in crate::receiver) fn objects(&self, key: &str) -> Result<Vec<Self>, Malformed> {
        let (mut objects, mut count) = (Vec::<Self>::new(), 0);
        for value in self.all(key) {
            if value.is_null() {
                objects.clear();
                count = 0;
                continue;
            }
            let elements = value.array().ok_or(Malformed)?;
            count = elements.len();
            objects.resize_with(objects.len().max(count), Self::default);
            for (object, element) in objects.iter_mut().zip(elements) {
                object.0.extend(element.object()?.0);
            }
        }
        objects.truncate(count);
        Ok(objects)
    }

    /// The texts of a list of strings, in which null is an empty text; of several such lists, the last one.
    ///
    /// # Errors
    /// [`Malformed`] when any of them is something else.
    pub(in crate::receiver) fn texts(&self, key: &str) -> Result<Vec<String>, Malformed> {
        let text = |value: Value<'_>| if value.is_null() { Some(String::new()) } else { value.string() };
        let mut texts = Vec::new();
        for value in self.all(key) {
            let elements = if value.is_null() { Some(Vec::new()) } else { value.array() };
            texts = elements.ok_or(Malformed)?.into_iter().map(text).collect::<Option<_>>().ok_or(Malformed)?;
        }
        Ok(texts)
    }

    /// The value of an integer member: the last one that is not null, 0 when there is none.
    ///
    /// # Errors
    /// [`Malformed`] when any of them is not written as an integer of 64 bits.
    pub(in crate::receiver) fn integer(&self, key: &str) -> Result<i64, Malformed> {
        let mut integer = 0;
        for value in self.all(key).filter(|value| !value.is_null()) {
            integer = value.number().and_then(|digits| digits.parse().ok()).ok_or(Malformed)?;
        }
        Ok(integer)
    }

    /// The value of a boolean member: the last one that is not null, false when there is none.
    ///
    /// # Errors
    /// [`Malformed`] when any of them is something else.
    pub(in crate::receiver) fn flag(&self, key: &str) -> Result<bool, Malformed> {
        let mut flag = false;
        for value in self.all(key).filter(|value| !value.is_null()) {
            flag = value.0.parse().map_err(|_| Malformed)?;
        }
        Ok(flag)
    }

    /// The keys, in document order.
    pub(in crate::receiver) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }
}

/// Go folds ASCII letters, and with them the two other characters that fold to an ASCII letter.
fn same_key(found: &str, wanted: &str) -> bool {
    let fold = |c: char| match c {
        'ſ' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    found.chars().map(fold).eq(wanted.chars().map(fold))
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor;
        impl<'de> Visitor<'de> for ElementsVisitor {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(body: &[u8], key: &str) -> Result<String, Malformed> {
        let text = prepared(body)?;
        Value::parse(&text)?.object()?.text(key)
    }

    #[test]
    fn keys_match_without_regard_to_case_and_the_last_value_that_is_not_null_wins() {
        assert_eq!(text_of(br#"{"A":"1","a":"2"}"#, "a").unwrap(), "2");
        assert_eq!(text_of(br#"{"a":"1","a":null}"#, "a").unwrap(), "1");
        assert_eq!(text_of("{\"\u{212A}ey\":\"1\"}".as_bytes(), "key").unwrap(), "1");
        assert_eq!(text_of(b"{}", "a").unwrap(), "");
        assert_eq!(text_of(b"null", "a").unwrap(), "");
    }

    #[test]
    fn objects_of_one_name_merge_and_lists_are_read_over_one_another() {
        let names = |body: &str| -> Result<Vec<String>, Malformed> {
            let document = Value::parse(body)?.object()?;
            document.object("data")?.objects("list")?.iter().map(|element| element.text("name")).collect()
        };
        assert_eq!(names(r#"{"data":{"list":[{"name":"1"}]},"data":{"other":1}}"#).unwrap(), ["1"]);
        assert_eq!(names(r#"{"data":{"list":[{"name":"1"},null]},"data":null}"#).unwrap(), ["1", ""]);
        assert_eq!(names(r#"{"data":{"list":[{"name":"1"},{"name":"2"}],"list":[{"x":1}]}}"#).unwrap(), ["1"]);
        assert_eq!(names(r#"{"data":{"list":[{"name":"1"}],"list":null,"list":[{}]}}"#).unwrap(), [""]);
        let none: [&str; 0] = [];
        assert_eq!(names("null").unwrap(), none);
        for body in [r#"{"data":5}"#, r#"{"data":[]}"#, r#"{"data":{"list":{}}}"#, r#"{"data":{"list":["1"]}}"#] {
            assert_eq!(names(body), Err(Malformed), "{body}");
        }
    }

    #[test]
    fn texts_integers_and_flags_are_read_as_go_reads_them() {
        let read = |body: &'static str| Value::parse(body).unwrap().object().unwrap();
        assert_eq!(read(r#"{"l":["b"],"l":["a",null]}"#).texts("l").unwrap(), ["a", ""]);
        assert!(read(r#"{"l":null}"#).texts("l").unwrap().is_empty());
        assert_eq!(read(r#"{"n":-7,"n":null}"#).integer("n"), Ok(-7));
        assert!(read(r#"{"f":true}"#).flag("f").unwrap() && !read("{}").flag("f").unwrap());
        for body in [r#"{"x":1.0}"#, r#"{"x":"1"}"#, r#"{"x":99999999999999999999}"#, r#"{"x":[1]}"#, r#"{"x":[[]]}"#] {
            let body = read(body);
            assert_eq!(body.integer("x"), Err(Malformed));
            assert_eq!(body.flag("x"), Err(Malformed));
            assert_eq!(body.texts("x"), Err(Malformed));
        }
    }

    #[test]
    fn wrong_types_and_broken_documents_are_malformed() {
        for body in
            ["", " ", "[]", "1", "\"a\"", "{\"a\":1}", "{} {}", "{\"a\":\"\u{1}\"}", "{\"b\":\"\\x\"}", "{'a':1}"]
        {
            assert_eq!(text_of(body.as_bytes(), "a"), Err(Malformed), "{body}");
        }
    }

    #[test]
    fn unused_members_may_be_odd() {
        let nested = format!("{{\"a\":\"1\",\"z\":{}{}}}", "[".repeat(9_999), "]".repeat(9_999));
        for body in [r#"{"a":"1","z":1e999}"#, r#"{"a":"1","z":"\ud800"}"#, &nested] {
            assert_eq!(text_of(body.as_bytes(), "a").unwrap(), "1");
        }
        assert_eq!(text_of(b"{\"a\":\"1\",\"z\":\"\xff\"}", "a").unwrap(), "1");
        let too_deep = format!("{}{}", "[".repeat(10_001), "]".repeat(10_001));
        assert_eq!(prepared(too_deep.as_bytes()), Err(Malformed));
    }

    #[test]
    fn one_byte_order_mark_in_front_of_the_document_is_skipped() {
        assert_eq!(text_of("\u{FEFF}{\"a\":\"\u{FEFF}1\"}".as_bytes(), "a").unwrap(), "\u{FEFF}1");
        for body in ["\u{FEFF}", "\u{FEFF}\u{FEFF}{}", " \u{FEFF}{}", "{}\u{FEFF}"] {
            assert_eq!(text_of(body.as_bytes(), "a"), Err(Malformed), "{body}");
        }
    }

    #[test]
    fn only_lone_surrogates_are_replaced() {
        assert_eq!(text_of(br#"{"a":"\ud83d\ude00"}"#, "a").unwrap(), "\u{1F600}");
        assert_eq!(text_of(br#"{"a":"x\ud800y"}"#, "a").unwrap(), "x\u{FFFD}y");
        assert_eq!(text_of(br#"{"a":"\\ud800"}"#, "a").unwrap(), "\\ud800");
    }
}
