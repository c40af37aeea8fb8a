//! Credentials that a receiver demands: what is demanded in the first line, what is presented in the second, then a
//! body.
#![no_main]

use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::domain::secret::Secret;
use quayside::receiver::Request;
use quayside::receiver::proof::credentials::Credentials;
use quayside_fuzz::within_budget;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let (demanded, presented) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let body = lines.next().unwrap_or_default();
    if demanded.is_empty() {
        return;
    }
    let secret = || Some(Secret::new(demanded.to_vec()));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(presented) {
        headers.insert(header::AUTHORIZATION, value);
    }
    let request = Request { headers: &headers, query: None, body, arrived: Timestamp::UNIX_EPOCH };
    within_budget(data.len(), || {
        let header = Credentials { auth_header: secret(), ..Credentials::default() };
        assert_eq!(header.admit(&request).is_ok(), presented == demanded && !headers.is_empty());
        Credentials { basic_auth: secret(), ..Credentials::default() }.admit(&request).ok();
        Credentials { body_token: secret(), ..Credentials::default() }.admit(&request).ok();
    });
});
