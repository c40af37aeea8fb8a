//! Requests as the senders make them, for `quayside send` and the tests.

use http::{HeaderName, HeaderValue};

use crate::domain::secret::Secret;

/// What is pushed in a sample.
#[derive(Clone, Copy)]
pub struct SamplePush<'a> {
    /// The repository as a person writes it: `quay.io/northwind/storefront`, `https://github.com/northwind/storefront`.
    pub repository: &'a str,
    /// Tags, or full Git refs.
    pub qualifiers: &'a [String],
    /// The paths that a Git push changes.
    pub changed_files: &'a [String],
}

/// A request as the sender of a kind makes it.
#[derive(Clone, Default)]
pub struct Sample {
    /// Headers, the one that names the event among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Sample {
    /// A JSON body without headers of its own but for `Content-Type`.
    #[must_use]
    pub fn json(body: &serde_json::Value) -> Self {
        Self { headers: Vec::new(), body: body.to_string().into_bytes() }
            .with_header("content-type", "application/json")
    }

    /// Adds a header; a value that no header can hold is left out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// Adds a header that holds the secret itself; a secret that no header can hold is left out.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, secret: &Secret) -> Self {
        if let Ok(mut value) = HeaderValue::from_bytes(secret.expose()) {
            value.set_sensitive(true);
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}
