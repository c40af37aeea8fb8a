//! Request paths: a path that is recognised names its kind, with the base path in front or without.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::path::{BaseUrl, ReceiverPath};

fuzz_target!(|path: &str| {
    for base in ["https://hooks.example.com", "https://hooks.example.com/in"] {
        let Ok(base) = BaseUrl::parse(base) else { return };
        if let Some(recognised) = ReceiverPath::recognise(path, &base) {
            let written = recognised.expose_path(&base);
            assert!(ReceiverPath::recognise(&written, &base).is_some_and(|again| again == recognised));
        }
    }
    drop(BaseUrl::parse(path));
});
