//! URLs as Go's `net/url` parses and prints them.
//!
//! Owns the grammar: what is a URL, what its parts are, and how they are put together again. It is
//! not the WHATWG grammar; default ports, empty paths, the spelling of hosts and of escapes are
//! all left as given. The contract's source is the behaviour of `url.Parse` and `URL.String` in Go
//! 1.26.

use std::fmt;
use std::net::Ipv6Addr;

use super::go_escape::{InvalidUrl, Part, escape, escape_as_given, is_well_formed, unescape};

/// Go counts no parameters in a query that has more than these.
const MAX_QUERY_PARAMETERS: usize = 10_000;

/// A parsed URL or URL reference; [`fmt::Display`] puts it together again.
///
/// It has no `Debug`, since it may hold a password; printing it prints the password, too.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct GoUrl {
    /// Scheme in lower case; empty in a relative reference.
    pub(crate) scheme: String,
    /// What follows a scheme without a slash, e.g. in `mailto:`; there is no host and no path then.
    pub(crate) opaque: String,
    /// User information, even if empty.
    pub(crate) user: Option<UserInfo>,
    /// Host and port, decoded.
    pub(crate) host: Vec<u8>,
    /// Path, decoded. Changing it drops the spelling it was given in.
    pub(crate) path: Vec<u8>,
    /// Query without its question mark, as given.
    pub(crate) query: String,
    /// Whether there is a question mark even though the query is empty.
    pub(crate) force_query: bool,
    /// Fragment, decoded.
    pub(crate) fragment: Vec<u8>,
    given_path: String,
    given_fragment: String,
    has_authority: bool,
}

/// User information of a URL, decoded.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct UserInfo {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl GoUrl {
    /// Parses an absolute URL or a relative reference.
    ///
    /// # Errors
    /// The rule of the grammar that `text` breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let (main, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = Self::parse_main(main)?;
        url.fragment = unescape(fragment.as_bytes(), Part::Fragment)?;
        fragment.clone_into(&mut url.given_fragment);
        Ok(url)
    }

    fn parse_main(text: &str) -> Result<Self, InvalidUrl> {
        if text.bytes().any(|b| b.is_ascii_control()) {
            return Err(InvalidUrl("invalid control character in URL"));
        }
        let mut url = Self::default();
        if text == "*" {
            url.path = text.into();
            return Ok(url);
        }
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut url.query);
        url.force_query = query.is_empty() && text.ends_with('?');
        url.set_hierarchy(rest)?;
        Ok(url)
    }

    /// Takes what stands between scheme and query.
    fn set_hierarchy(&mut self, text: &str) -> Result<(), InvalidUrl> {
        let relative = self.scheme.is_empty();
        if !text.starts_with('/') {
            if !relative {
                text.clone_into(&mut self.opaque);
                return Ok(());
            }
            if first_segment(text).contains(':') {
                return Err(InvalidUrl("first path segment in URL cannot contain colon"));
            }
        }
        let path = match text.strip_prefix("//") {
            Some(rest) if !(relative && rest.starts_with('/')) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                self.set_authority(authority)?;
                path
            }
            _ => text,
        };
        self.path = unescape(path.as_bytes(), Part::Path)?;
        path.clone_into(&mut self.given_path);
        Ok(())
    }

    fn set_authority(&mut self, text: &str) -> Result<(), InvalidUrl> {
        let (user, host) = match text.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, text),
        };
        self.has_authority = true;
        self.host = parse_host(&self.scheme, host)?;
        self.user = user.map(UserInfo::parse).transpose()?;
        Ok(())
    }

    /// Host without port and brackets, decoded.
    pub(crate) fn hostname(&self) -> &[u8] {
        let colon = self.host.iter().rposition(|&b| b == b':');
        let host = match colon.map(|at| self.host.split_at(at)) {
            Some((host, port)) if is_optional_port(port) => host,
            _ => &self.host,
        };
        host.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")).unwrap_or(host)
    }

    /// Whether Go finds a parameter in the query; malformed ones do not count.
    pub(crate) fn has_query_parameters(&self) -> bool {
        let mut parameters = self.query.split('&');
        let counts = |p: &str| !p.is_empty() && !p.contains(';') && is_well_formed(p);
        parameters.clone().count() <= MAX_QUERY_PARAMETERS && parameters.any(counts)
    }

    /// Path, encoded: as given while nobody changed it, else as Go spells it.
    pub(crate) fn escaped_path(&self) -> String {
        let spelling = escape_as_given(&self.path, &self.given_path, Part::Path);
        // A lone asterisk is a request target of its own and never escaped.
        if self.path == b"*" && spelling == "%2A" {
            return "*".to_owned();
        }
        spelling
    }

    fn fmt_authority(&self, out: &mut String) {
        let is_empty = self.host.is_empty() && self.user.is_none();
        if is_empty && (!self.has_authority || self.scheme.is_empty() || self.path.is_empty()) {
            return;
        }
        out.push_str("//");
        if let Some(user) = &self.user {
            out.push_str(&user.to_string());
            out.push('@');
        }
        out.push_str(&escape(&self.host, Part::Host));
    }

    fn fmt_path(&self, out: &mut String) {
        let path = self.escaped_path();
        if !self.host.is_empty() && !path.is_empty() && !path.starts_with('/') {
            out.push('/');
        }
        // Its first segment would otherwise be taken for a scheme.
        if out.is_empty() && first_segment(&path).contains(':') {
            out.push_str("./");
        }
        out.push_str(&path);
    }
}

impl fmt::Display for GoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            self.fmt_authority(&mut out);
            self.fmt_path(&mut out);
        } else {
            out.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            let given = &self.given_fragment;
            out.push('#');
            out.push_str(&escape_as_given(&self.fragment, given, Part::Fragment));
        }
        f.write_str(&out)
    }
}

impl UserInfo {
    fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
        if !text.bytes().all(is_valid) {
            return Err(InvalidUrl("invalid userinfo"));
        }
        let (name, password) = match text.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (text, None),
        };
        let decode = |text: &str| unescape(text.as_bytes(), Part::User);
        Ok(Self { name: decode(name)?, password: password.map(decode).transpose()? })
    }
}

impl fmt::Display for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.name, Part::User))?;
        match &self.password {
            Some(password) => write!(f, ":{}", escape(password, Part::User)),
            None => Ok(()),
        }
    }
}

/// Splits off the scheme; what cannot be one is left to be a path.
fn split_scheme(text: &str) -> Result<(&str, &str), InvalidUrl> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match text.split_once(':') {
        Some(("", _)) => Err(InvalidUrl("missing protocol scheme")),
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_inner) =>
        {
            Ok((scheme, rest))
        }
        _ => Ok(("", text)),
    }
}

fn first_segment(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

fn parse_host(scheme: &str, text: &str) -> Result<Vec<u8>, InvalidUrl> {
    if let Some(open) = text.rfind('[') {
        return match text.rsplit_once(']') {
            Some((address, port)) if open == 0 => parse_ip_literal(&address[1..], port),
            _ => Err(InvalidUrl("invalid IP-literal")),
        };
    }
    // Lists of hosts, colons in them and all, pass for anything but the web.
    let is_web = matches!(scheme, "http" | "https");
    let colon = if is_web { text.find(':') } else { text.rfind(':') };
    if colon.is_some_and(|at| !is_optional_port(&text.as_bytes()[at..])) {
        return Err(InvalidUrl("invalid port after host"));
    }
    unescape(text.as_bytes(), Part::Host)
}

fn parse_ip_literal(address: &str, port: &str) -> Result<Vec<u8>, InvalidUrl> {
    if !is_optional_port(port.as_bytes()) {
        return Err(InvalidUrl("invalid port after host"));
    }
    let (address, zone) = address.split_at(address.find("%25").unwrap_or(address.len()));
    let mut host = unescape(address.as_bytes(), Part::Host)?;
    host.extend(unescape(zone.as_bytes(), Part::Zone)?);
    if !is_ipv6(&host) {
        return Err(InvalidUrl("invalid IP-literal"));
    }
    Ok([b"[", host.as_slice(), b"]", port.as_bytes()].concat())
}

fn is_ipv6(text: &[u8]) -> bool {
    let mut halves = text.splitn(2, |&b| b == b'%');
    let address = halves.next().unwrap_or_default();
    let zone_is_named = halves.next().is_none_or(|zone| !zone.is_empty());
    zone_is_named && str::from_utf8(address).is_ok_and(|a| a.parse::<Ipv6Addr>().is_ok())
}

fn is_optional_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::GoUrl;

    fn parse(text: &str) -> GoUrl {
        GoUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn spellings_survive_a_round_trip() {
        for text in [
            "",
            "*",
            "https://h",
            "https://h:443/",
            "https://h:/a//b/../c/",
            "https://u:p@h/a%2fb?q=%zz#f%2F",
            "https://h/x?",
            "https://[::1]:80/x",
            "https://[fe80::1%25en0]/x",
            "https://h/a(b)*[c]",
            "ssh://a:1,b:2/x",
            "///x",
            "//h/x",
            "file:/x",
            "file:///x",
            "mailto:a@b?x#y",
            "http:",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn spellings_that_are_not_proper_are_replaced() {
        for (text, printed) in [
            ("HTTPS://H/X", "https://H/X"),
            ("https://h/a b", "https://h/a%20b"),
            ("https://h/\u{e4}#\u{e4}", "https://h/%C3%A4#%C3%A4"),
            ("https://h\u{e4}/", "https://h%C3%A4/"),
            ("https://a%40b:p%3Aq@h", "https://a%40b:p%3Aq@h"),
            ("https://a~%7e@h", "https://a~~@h"),
            ("https://", "https:"),
            ("https:///x", "https:///x"),
            ("x#", "x"),
            ("%2A", "*"),
        ] {
            assert_eq!(parse(text).to_string(), printed, "{text}");
        }
    }

    #[test]
    fn a_changed_path_is_spelled_anew() {
        let mut url = parse("https://h/a(b)%2Fc");
        assert_eq!(url.to_string(), "https://h/a(b)%2Fc");
        url.path.truncate(5);
        assert_eq!(url.to_string(), "https://h/a%28b%29");
        let mut relative = parse("a%3ab");
        relative.path.pop();
        assert_eq!(relative.to_string(), "./a:");
    }

    #[test]
    fn texts_that_break_the_grammar_are_errors() {
        for text in [
            ":x",
            "1:x",
            "a b:c",
            "https://h\n",
            "https://h/%zz",
            "https://h/#%",
            "https://a b/",
            "https://h:x/",
            "https://h:1:2/",
            "ssh://h:1:x/",
            "https://u^@h/",
            "https://u%@h/",
            "https://[::1/",
            "https://x[::1]/",
            "https://[::1]x/",
            "https://[1.2.3.4]/",
            "https://[h]/",
            "https://[::1%25]/",
            "https://h%20/",
        ] {
            assert!(GoUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_host_name_has_no_port_and_no_brackets() {
        for (text, name) in [
            ("https://h:443/x", "h"),
            ("https://h:/x", "h"),
            ("https://[::1]:80", "::1"),
            ("https://[::1]", "::1"),
            ("/x", ""),
        ] {
            assert_eq!(parse(text).hostname(), name.as_bytes(), "{text}");
        }
    }

    #[test]
    fn malformed_query_parameters_do_not_count() {
        for query in ["", "&", "a;b", "%/", "x=%z&;"] {
            assert!(!parse(&format!("x?{query}")).has_query_parameters(), "{query}");
        }
        for query in ["a", "=", "?", "%&a=%20", "+"] {
            assert!(parse(&format!("x?{query}")).has_query_parameters(), "{query}");
        }
        assert!(parse(&format!("x?{}", "&a".repeat(9_999))).has_query_parameters());
        assert!(!parse(&format!("x?{}", "&a".repeat(10_000))).has_query_parameters());
    }
}
