//! Which certificates a rule admits, and which are read from the header of a proxy. A rule that does not name it never
//! admits one that nobody vouches for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::workbench::{ClientIdentity, Fingerprint, certificates_passed_on, permits};
use quayside_fuzz::within_budget;

fuzz_target!(|input: &[u8]| {
    let fingerprint = Fingerprint::of(b"certificate");
    within_budget(input.len(), || {
        let is_named = String::from_utf8_lossy(input).lines().any(|line| line.parse() == Ok(fingerprint));
        let unverified = permits(input, &ClientIdentity::Unverified { fingerprint });
        let verified = permits(input, &ClientIdentity::Verified { fingerprint });
        assert!(!unverified || (is_named && verified));
        assert!(!permits(input, &ClientIdentity::None));

        let passed_on = certificates_passed_on(input).unwrap_or_default();
        assert!(passed_on.len() <= 5 && passed_on.iter().all(|der| der.starts_with(&[0x30])));
        assert!(passed_on.iter().map(Vec::len).sum::<usize>() <= input.len());
    });
});
