//! What Quay might send.
#![no_main]

use http::HeaderMap;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::domain::kind::ReceiverKind;
use quayside::domain::secret::Secret;
use quayside::receiver::{Request, Settings, implementation};
use quayside_fuzz::within_budget;

fuzz_target!(|body: &[u8]| {
    let (headers, settings) = (HeaderMap::new(), Settings::new(Secret::new(b"a long enough secret".to_vec())));
    let request = Request { headers: &headers, query: None, body, arrived: Timestamp::UNIX_EPOCH };
    within_budget(body.len(), || implementation(ReceiverKind::Quay).receive(&request, &settings)).ok();
});
