//! What a receiver sees of a request.

use http::HeaderMap;
use jiff::Timestamp;

/// An inbound request, after routing and with its body read.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The headers as received.
    pub headers: &'a HeaderMap,
    /// The raw query string without the question mark.
    pub query: Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
    /// When it arrived, by which credentials that expire are judged.
    pub arrived: Timestamp,
}

impl Request<'_> {
    /// The first value of a query parameter, percent-decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        url_decoded_pairs(self.query?).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The first value of a header, with what is not UTF-8 replaced; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> std::borrow::Cow<'_, str> {
        self.headers.get(name).map_or_else(Default::default, |value| String::from_utf8_lossy(value.as_bytes()))
    }
}

fn url_decoded_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned()))
}
