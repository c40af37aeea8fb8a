//! What expressions can see of a request.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::value::{Func, NativeFunc, Request, Text, Value};

/// The environment of an evaluation: `request`, `params` and the functions that normalise URLs.
#[derive(Clone)]
pub struct Env {
    pub(super) root: Value,
    pub(super) now: Timestamp,
}

/// Bodies and headers may be secret.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

impl Env {
    /// Begins an environment without body, headers, query or parameters. `now` is what `now()` answers.
    pub fn builder(now: Timestamp) -> EnvBuilder {
        EnvBuilder { now, body: Value::Nil, request: Request::default(), params: Vec::new() }
    }

    /// The same request with other static parameters; cheap.
    #[must_use]
    pub fn with_params<K: AsRef<str>, V: AsRef<str>>(&self, params: impl IntoIterator<Item = (K, V)>) -> Self {
        let Value::Map(root) = &self.root else { return self.clone() };
        let params = params.into_iter().map(|(key, value)| (Text::from(key.as_ref()), Value::text(value.as_ref())));
        let params = Value::object(params);
        let kept = ["request", "normalizeGit", "normalizeImage", "normalizeChart"]
            .into_iter()
            .filter_map(|name| Some((Text::from(name), root.get(name)?.clone())));
        Self { root: Value::object(kept.chain([(Text::from("params"), params)])), now: self.now }
    }
}

/// Builds an [`Env`].
#[must_use]
pub struct EnvBuilder {
    now: Timestamp,
    body: Value,
    request: Request,
    params: Vec<(Text, Value)>,
}

impl EnvBuilder {
    /// The parsed body, `request.body`; nil unless set. [`parse_json`](super::parse_json) reads one as Kargo does.
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a header. The order of equal names is kept; what Go's server takes out is not visible to expressions.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = name.to_ascii_lowercase();
        if !matches!(&*name, "host" | "transfer-encoding") {
            self.request.headers.push((name, Text::from(value.as_ref())));
        }
        self
    }

    /// The query of the URL, read as Go does: what cannot be decoded, or contains a semicolon, is left out.
    pub fn query(mut self, query: &str) -> Self {
        for part in query.split('&').filter(|part| !part.is_empty() && !part.contains(';')) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            if let (Some(key), Some(value)) = (unescape(key), unescape(value)) {
                self.request.query.push((key, value));
            }
        }
        self
    }

    /// Adds a static parameter of the action.
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((Text::from(name), Value::text(value)));
        self
    }

    /// The finished environment.
    #[must_use]
    pub fn build(self) -> Env {
        let request = Arc::new(self.request);
        let func = |name: &str, func| (Text::from(name), Value::Func(Func::native(func)));
        let visible = Value::object([
            (Text::from("body"), self.body),
            func("header", NativeFunc::Header(Arc::clone(&request))),
            func("headers", NativeFunc::Headers(Arc::clone(&request))),
            func("params", NativeFunc::Param(request)),
        ]);
        let root = Value::object([
            (Text::from("request"), visible),
            (Text::from("params"), Value::object(self.params)),
            func("normalizeGit", NativeFunc::NormalizeGit),
            func("normalizeImage", NativeFunc::NormalizeImage),
            func("normalizeChart", NativeFunc::NormalizeChart),
        ]);
        Env { root, now: self.now }
    }
}

fn unescape(text: &str) -> Option<Text> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8
            }
            other => other,
        });
    }
    Some(Text::from(out))
}
