//! A request as somebody captured it: raw HTTP, what `curl -v` or the delivery log of a sender shows, or JSON (HAR, and
//! the logs that some senders give through their API).
//!
//! Lenient on purpose: what a person copies from a page has titles between the parts, and an editor adds a line break.

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;

use super::super::note;

/// A whole request.
#[derive(Clone, Debug)]
pub(super) struct Captured {
    /// POST where the capture does not say.
    pub(super) method: Method,
    /// The path, if the capture shows it.
    pub(super) path: Option<String>,
    /// The query string, without the question mark.
    pub(super) query: Option<String>,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body, as far as it was captured.
    pub(super) body: Vec<u8>,
}

impl Default for Captured {
    fn default() -> Self {
        Self { method: Method::POST, path: None, query: None, headers: HeaderMap::new(), body: Vec::new() }
    }
}

/// The titles that pages of senders write between the parts of a request.
const TITLES: [&str; 8] =
    ["headers", "request", "request headers", "payload", "body", "content", "request body", "request content"];

/// Reads a capture of any form.
pub(super) fn read(content: &[u8]) -> anyhow::Result<Captured> {
    let json = serde_json::from_slice::<Value>(content).ok();
    let mut captured = match json.as_ref().and_then(of_json) {
        Some(captured) => captured?,
        None if json.is_some() => bail!("this is JSON without headers; give a mere body with --body"),
        None => of_text(content)?,
    };
    captured.trim_body()?;
    Ok(captured)
}

/// `None` when the JSON holds no request.
fn of_json(json: &Value) -> Option<anyhow::Result<Captured>> {
    if let Some(entries) = json["log"]["entries"].as_array() {
        return Some(of_har(entries));
    }
    // GitHub nests the request, Gitea and GitLab do not.
    let request = json.get("request").filter(|request| request.is_object()).unwrap_or(json);
    let headers = ["headers", "request_headers"].iter().find_map(|name| request.get(name))?;
    let body = ["body", "payload", "request_data", "content"].iter().find_map(|name| request.get(name));
    let text = |names: &[&str]| names.iter().find_map(|name| request[name].as_str()).unwrap_or_default();
    let parts = (text(&["method", "http_method"]), text(&["url"]));
    Some(of_parts(parts, headers, body_of(body.unwrap_or(&Value::Null))))
}

/// A body that was kept as text, or as the value that the text stood for.
fn body_of(body: &Value) -> Vec<u8> {
    match body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

fn of_har(entries: &[Value]) -> anyhow::Result<Captured> {
    let is_post = |entry: &&Value| entry["request"]["method"] == "POST";
    let entry = match entries.iter().filter(is_post).collect::<Vec<_>>().as_slice() {
        [only] => *only,
        [] => entries.first().context("the HAR holds no request")?,
        several => bail!("the HAR holds {} POST requests; leave only the one to explain", several.len()),
    };
    let request = &entry["request"];
    let text = request["postData"]["text"].as_str().unwrap_or_default();
    let body = match request["postData"]["encoding"].as_str() {
        Some("base64") => BASE64_STANDARD.decode(text).context("postData.text is not base64")?,
        _ => text.as_bytes().to_vec(),
    };
    let part = |name: &str| request[name].as_str().unwrap_or_default();
    of_parts((part("method"), part("url")), &request["headers"], body)
}

/// `headers` is a map, or a list of names and values.
fn of_parts((method, url): (&str, &str), headers: &Value, body: Vec<u8>) -> anyhow::Result<Captured> {
    let mut captured = Captured { body, ..Captured::default() };
    captured.request_line(if method.is_empty() { "POST" } else { method }, url)?;
    let named = |header: &Value| Some((header["name"].as_str()?.to_owned(), header["value"].clone()));
    let pairs: Vec<(String, Value)> = match headers {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        Value::Array(list) => list.iter().filter_map(named).collect(),
        _ => bail!("the headers of the request are neither an object nor a list"),
    };
    for (name, value) in pairs {
        let values = if let Value::Array(values) = value { values } else { vec![value] };
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            captured.header(&name, text.as_bytes())?;
        }
    }
    Ok(captured)
}

fn of_text(content: &[u8]) -> anyhow::Result<Captured> {
    let mut captured = Captured::default();
    // curl marks what it sends, and says more in other lines.
    let curl = content.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"> "));
    let (mut rest, mut number, mut begun) = (content, 0, false);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        let (whole, behind) = rest.split_at(end);
        let line = whole.trim_ascii();
        number += 1;
        let line = match (curl, line) {
            (true, [b'>', line @ ..]) => line.trim_ascii(),
            (true, [b'<', ..]) if begun => break,
            (true, [b'*' | b'<', ..] | [b'{' | b'}', b' ', b'[', ..]) => {
                rest = behind;
                continue;
            }
            (_, line) => line,
        };
        if begun && line.starts_with(b"{") || line.starts_with(b"[") || line.starts_with(b"payload=") {
            captured.body = if curl { before_response(rest) } else { rest.to_vec() };
            break;
        }
        if line.is_empty() && begun && !curl && !is_title(behind) {
            captured.body = behind.to_vec();
            break;
        }
        rest = behind;
        begun |= captured.line(line).with_context(|| format!("line {number} of the request cannot be read"))?;
    }
    ensure!(begun, "this is not a request: no request line and no header was found");
    Ok(captured)
}

/// Whether the next line that is not empty is a title, or the body after one.
fn is_title(text: &[u8]) -> bool {
    let next = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    next.is_some_and(|line| TITLES.iter().any(|title| line.eq_ignore_ascii_case(title.as_bytes())))
}

/// The lines up to what curl prints of the response.
fn before_response(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.take_while(|line| !line.starts_with(b"< ") && !line.starts_with(b"* ")).flatten().copied().collect()
}

impl Captured {
    /// Takes a line of the head. Returns whether it says anything about the request.
    fn line(&mut self, line: &[u8]) -> anyhow::Result<bool> {
        let text = String::from_utf8_lossy(line);
        if text.is_empty() || TITLES.iter().any(|title| text.eq_ignore_ascii_case(title)) {
            return Ok(false);
        }
        if let Some((method, target)) = text.split_once(' ')
            && !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            self.request_line(method, target.split(' ').next().unwrap_or_default())?;
            return Ok(true);
        }
        // The pseudo-headers of HTTP/2 begin with a colon.
        let start = usize::from(text.starts_with(':'));
        let colon = text[start..].find(':').context("it is neither a header nor a request line")? + start;
        let (name, value) = (text[..colon].trim(), text[colon + 1..].trim());
        match name.to_ascii_lowercase().as_str() {
            "request url" | ":path" => self.target(value),
            "request method" | ":method" => self.method = value.parse().context("it names no method")?,
            ":authority" => self.header("host", value.as_bytes())?,
            ":scheme" => {}
            _ => self.header(name, value.as_bytes())?,
        }
        Ok(true)
    }

    fn request_line(&mut self, method: &str, target: &str) -> anyhow::Result<()> {
        self.method = method.parse().with_context(|| format!("{method:?} is not a method"))?;
        self.target(target);
        Ok(())
    }

    /// A path with its query, or a whole URL.
    fn target(&mut self, target: &str) {
        let target = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |path| &rest[path..]),
            None => target,
        };
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        self.path = Some(path.to_owned()).filter(|path| !path.is_empty());
        self.query = query.map(str::to_owned);
    }

    fn header(&mut self, name: &str, value: &[u8]) -> anyhow::Result<()> {
        let parsed: HeaderName = name.parse().with_context(|| format!("{name:?} is not the name of a header"))?;
        let value =
            HeaderValue::from_bytes(value).with_context(|| format!("the value of {name} cannot be a header"))?;
        self.headers.append(parsed, value);
        Ok(())
    }

    /// Adds the headers that a client adds by itself, where they are missing.
    pub(super) fn complete(&mut self) {
        let added = [
            (header::CONTENT_LENGTH, HeaderValue::from(self.body.len())),
            (header::HOST, HeaderValue::from_static("localhost")),
            (header::USER_AGENT, HeaderValue::from_static(concat!("quayside-explain/", env!("CARGO_PKG_VERSION")))),
        ];
        for (name, value) in added {
            self.headers.entry(name).or_insert(value);
        }
    }

    /// Takes off what a capture has in front of or behind the body.
    fn trim_body(&mut self) -> anyhow::Result<()> {
        let is_chunked =
            self.headers.get(header::TRANSFER_ENCODING).is_some_and(|value| value.as_bytes() == b"chunked");
        if is_chunked && let Some(body) = unchunked(&self.body) {
            self.body = body;
            return Ok(());
        }
        let length = self.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let Some(length): Option<usize> = length else {
            // The last line break is the editor's, because hardly any sender ends its body with one.
            if self.body.ends_with(b"\n") {
                self.body.truncate(self.body.trim_ascii_end().len());
            }
            return Ok(());
        };
        let (given, surplus) = (self.body.len(), self.body.get(length..).unwrap_or_default());
        if surplus.iter().all(u8::is_ascii_whitespace) {
            self.body.truncate(length);
        } else {
            bail!("the body has {given} bytes, but Content-Length says {length}: the capture was changed");
        }
        if given < length {
            note(&format!(
                "the body has {given} bytes of the {length} that Content-Length says: the capture was cut or reformatted"
            ));
        }
        Ok(())
    }
}

/// The content of a chunked body; `None` when it is not one, as most captures show the content only.
fn unchunked(body: &[u8]) -> Option<Vec<u8>> {
    let (mut content, mut rest) = (Vec::new(), body);
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        content.extend_from_slice(rest.get(end + 2..)?.get(..size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests;
