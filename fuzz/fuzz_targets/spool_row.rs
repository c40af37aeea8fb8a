//! A request as it stands in the spool: a path, then headers, then an empty line and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::workbench::TakenIn;
use quayside_fuzz::within_budget;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.split('\n');
    let path = lines.next().unwrap_or_default();
    let headers =
        lines.map(|line| line.split_once(':').unwrap_or((line, ""))).map(|(name, value)| (name, value.as_bytes()));
    let arrival = i128::from_le_bytes(std::array::from_fn(|index| data.get(index).copied().unwrap_or_default()));
    within_budget(data.len(), || {
        let taken = TakenIn::from_row((arrival, path, path, headers.collect(), body));
        assert_eq!(taken.body, body);
        assert!(taken.path().len() <= path.len());
        std::hint::black_box(taken.query());
    });
});
