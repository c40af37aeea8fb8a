//! A body in the envelope of a POST template, whose token is demanded: without it nothing is read.
#![no_main]

use http::HeaderMap;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::domain::kind::ReceiverKind;
use quayside::domain::secret::Secret;
use quayside::receiver::proof::credentials::Credentials;
use quayside::receiver::{Request, Settings, implementation};

const TOKEN: &str = "a token that no fuzzer guesses";

fuzz_target!(|body: &[u8]| {
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    let credentials = Credentials { body_token: Some(secret(TOKEN)), ..Credentials::default() };
    let settings = Settings { credentials, ..Settings::new(secret("a long enough secret")) };
    let headers = HeaderMap::new();
    let request = Request { headers: &headers, query: None, body, arrived: Timestamp::UNIX_EPOCH };
    assert!(implementation(ReceiverKind::Quay).receive(&request, &settings).is_err());
});
