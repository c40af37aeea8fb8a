//! Client certificates in the header by which a proxy passes them on.
//!
//! The form is recognised, because no value is valid in two of them: percent-encoded PEM (nginx), DER in base64
//! (HAProxy; Traefik, with commas between certificates), the `Cert` or `Chain` of Envoy's `X-Forwarded-Client-Cert`,
//! and RFC 9440. Nothing here says that a certificate is genuine: it is judged like one of a connection.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

/// Longer values are not read. Five certificates with RSA keys of 4096 bits need less.
const MAX_BYTES: usize = 16 * 1024;
/// More certificates are not read: each costs a verification.
const MAX_CERTIFICATES: usize = 5;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The members of an element of `X-Forwarded-Client-Cert`. None begins as a DER in base64 does, with an `M`.
const ENVOYS: [&str; 7] = ["by", "hash", "cert", "chain", "subject", "uri", "dns"];

/// Why no certificate can be read from a header. It quotes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The value is too long.
    #[error("it is longer than {} bytes", MAX_BYTES)]
    TooLong,
    /// The chain is too long.
    #[error("it holds more than {} certificates", MAX_CERTIFICATES)]
    TooMany,
    /// Several proxies, or a proxy and the sender, have written it.
    #[error("it was written more than once; let the proxy replace the header instead of adding to it")]
    Several,
    /// An element of Envoy's without a certificate.
    #[error("it has neither Cert nor Chain; let Envoy pass on one of them")]
    NoCertificate,
    /// Anything else.
    #[error("it is not in a form that is known")]
    Unknown,
}

/// The certificates in DER, the sender's own first. None in an empty value, as a proxy may send it for a client without
/// a certificate.
///
/// # Errors
/// When the value is in no known form, or exceeds a limit.
pub fn certificates(value: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    if value.len() > MAX_BYTES {
        return Err(Malformed::TooLong);
    }
    let text = std::str::from_utf8(value).map_err(|_| Malformed::Unknown)?.trim_ascii();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let found = if let Some(rest) = text.strip_prefix(':') {
        vec![der(rest.strip_suffix(':').ok_or(Malformed::Unknown)?)?]
    } else if is_envoys(text) {
        unescaped(envoys(text)?)?
    } else {
        unescaped(text)?
    };
    if found.len() > MAX_CERTIFICATES { Err(Malformed::TooMany) } else { Ok(found) }
}

/// PEM or DER, perhaps percent-encoded.
fn unescaped(text: &str) -> Result<Vec<Vec<u8>>, Malformed> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| Malformed::Unknown)?;
    let text = text.trim_ascii();
    if text.starts_with(BEGIN) { pem(text) } else { text.split(',').map(der).collect() }
}

fn pem(text: &str) -> Result<Vec<Vec<u8>>, Malformed> {
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let begun = rest.strip_prefix(BEGIN).ok_or(Malformed::Unknown)?;
        let (body, after) = begun.split_once(END).ok_or(Malformed::Unknown)?;
        found.push(der(&body.split_ascii_whitespace().collect::<String>())?);
        rest = after.trim_ascii_start();
    }
    Ok(found)
}

/// Every certificate is a SEQUENCE; whether it is a certificate shows later.
fn der(text: &str) -> Result<Vec<u8>, Malformed> {
    let der = BASE64_STANDARD.decode(text.trim_ascii()).map_err(|_| Malformed::Unknown)?;
    if der.first() == Some(&0x30) { Ok(der) } else { Err(Malformed::Unknown) }
}

fn is_envoys(text: &str) -> bool {
    text.split_once('=').is_some_and(|(key, _)| ENVOYS.contains(&key.to_ascii_lowercase().as_str()))
}

/// The certificates of the one element: `Hash=…;Cert="…";Subject="…"`.
fn envoys(text: &str) -> Result<&str, Malformed> {
    let (mut own, mut chain, mut rest) = (None, None, text);
    loop {
        let (key, after) = rest.split_once('=').ok_or(Malformed::Unknown)?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_at(closing_quote(quoted).ok_or(Malformed::Unknown)?),
            None => after.split_at(after.find([';', ',']).unwrap_or(after.len())),
        };
        let place = match key.trim_ascii().to_ascii_lowercase().as_str() {
            "cert" => Some(&mut own),
            "chain" => Some(&mut chain),
            _ => None,
        };
        if place.is_some_and(|place| place.replace(value).is_some()) {
            return Err(Malformed::Several);
        }
        let after = after.strip_prefix('"').unwrap_or(after).trim_ascii_start();
        match after.as_bytes().first() {
            None => break,
            Some(b';') => rest = &after[1..],
            Some(b',') => return Err(Malformed::Several),
            Some(_) => return Err(Malformed::Unknown),
        }
    }
    chain.or(own).filter(|found| !found.is_empty()).ok_or(Malformed::NoCertificate)
}

/// Where the quoted text ends. Within it, a backslash escapes a quote.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::percent::escaped;

    const OWN: &[u8] = b"\x30\x82 the sender's >>>???";
    const ISSUER: &[u8] = b"\x30\x82 its issuer's";

    fn base64(der: &[u8]) -> String {
        BASE64_STANDARD.encode(der)
    }

    fn as_pem(der: &[u8]) -> String {
        let text = base64(der);
        let (first, rest) = text.split_at(16);
        format!("{BEGIN}\n{first}\n{rest}\n{END}\n")
    }

    fn read(text: &str) -> Result<Vec<Vec<u8>>, Malformed> {
        certificates(text.as_bytes())
    }

    #[test]
    fn every_form_in_use_is_read() {
        let (own, both) = (vec![OWN.to_vec()], vec![OWN.to_vec(), ISSUER.to_vec()]);
        let pem = escaped(as_pem(OWN).as_bytes());
        let chain = escaped(format!("{}{}", as_pem(OWN), as_pem(ISSUER)).as_bytes());
        for (form, text, expected) in [
            ("nginx", pem.clone(), &own),
            ("a chain in PEM", chain.clone(), &both),
            ("HAProxy", base64(OWN), &own),
            ("Traefik 2", escaped(format!("{},{}", base64(OWN), base64(ISSUER)).as_bytes()), &both),
            ("Traefik 3", format!("{},{}", base64(OWN), base64(ISSUER)), &both),
            ("RFC 9440", format!(":{}:", base64(OWN)), &own),
            ("Envoy", format!("Hash=0f;Cert=\"{pem}\";Subject=\"CN=a,O=\\\"b;Cert=\\\"\";URI="), &own),
            ("Envoy's chain", format!("By=spiffe://a/b?c=d;Cert=\"{pem}\";Chain=\"{chain}\""), &both),
            ("none, HAProxy", " ".to_owned(), &Vec::new()),
        ] {
            assert_eq!(read(&text).as_ref(), Ok(expected), "{form}");
        }
    }

    #[test]
    fn what_could_be_two_senders_is_nobodys() {
        let pem = escaped(as_pem(OWN).as_bytes());
        for text in [
            format!("Cert=\"{pem}\",Cert=\"{pem}\""),
            format!("Hash=1;Cert=\"{pem}\", Hash=2;Cert=\"{pem}\""),
            format!("Cert=\"{pem}\";Cert=\"{pem}\""),
        ] {
            assert_eq!(read(&text), Err(Malformed::Several), "{text}");
        }
        assert_eq!(read("Hash=0f;Subject=\"CN=a\""), Err(Malformed::NoCertificate));
    }

    #[test]
    fn anything_else_is_refused_within_bounds() {
        let pem = as_pem(OWN);
        for text in [
            "-".to_owned(),
            "(null)".to_owned(),
            "SUCCESS".to_owned(),
            base64(b"not a sequence"),
            format!(":{}", base64(OWN)),
            "::".to_owned(),
            format!("{},", base64(OWN)),
            pem.replace(END, ""),
            format!("{pem}and more"),
            format!("Cert=\"{}", escaped(pem.as_bytes())),
            "Cert=\"x\"y".to_owned(),
            "Cert=%ff".to_owned(),
        ] {
            assert_eq!(read(&text), Err(Malformed::Unknown), "{text}");
        }
        assert_eq!(certificates(b"\xff"), Err(Malformed::Unknown));
        assert_eq!(read(&vec![base64(OWN); MAX_CERTIFICATES + 1].join(",")), Err(Malformed::TooMany));
        assert_eq!(read(&"M".repeat(MAX_BYTES + 1)), Err(Malformed::TooLong));
    }
}
