//! Every kind of receiver, chosen by the first byte, with whatever stands behind it as body.
#![no_main]

use http::HeaderMap;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::domain::kind::ReceiverKind;
use quayside::domain::secret::Secret;
use quayside::receiver::{Request, Sample, Settings, implementation};
use quayside_fuzz::within_budget;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let kinds = ReceiverKind::ALL;
    let receiver = implementation(kinds[usize::from(*first) % kinds.len()]);
    let settings = Settings {
        registry_host: Some("registry.example.com".to_owned()),
        allow_sha1: true,
        ..Settings::new(Secret::new(b"a long enough secret".to_vec()))
    };
    // Signed, so that what is behind the signature is reached.
    let sample = receiver.sign(Sample { body: body.to_vec(), ..Sample::default() }, &settings.secret);
    for event in receiver.events() {
        let mut headers: HeaderMap = sample.headers.iter().cloned().collect();
        let push = quayside::receiver::SamplePush { repository: "a.example/b/c", qualifiers: &[], changed_files: &[] };
        if let Some(named) = receiver.sample(event, &push) {
            headers.extend(named.headers);
        }
        let request = Request { headers: &headers, query: None, body, arrived: Timestamp::UNIX_EPOCH };
        within_budget(data.len(), || receiver.receive(&request, &settings)).ok();
    }
});
