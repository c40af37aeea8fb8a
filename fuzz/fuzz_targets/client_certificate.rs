//! Which certificates a rule admits; a rule that does not name it never admits one that nobody vouches for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::workbench::{ClientIdentity, Fingerprint, permits};
use quayside_fuzz::within_budget;

fuzz_target!(|rule: &[u8]| {
    let fingerprint = Fingerprint::of(b"certificate");
    within_budget(rule.len(), || {
        let is_named = String::from_utf8_lossy(rule).lines().any(|line| line.parse() == Ok(fingerprint));
        let unverified = permits(rule, &ClientIdentity::Unverified { fingerprint });
        let verified = permits(rule, &ClientIdentity::Verified { fingerprint });
        assert!(!unverified || (is_named && verified));
        assert!(!permits(rule, &ClientIdentity::None));
    });
});
