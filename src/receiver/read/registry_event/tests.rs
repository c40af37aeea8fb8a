//! What the tests of the kinds share that read their senders leniently.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::event::Verdict;
use crate::receiver::testing;
pub(in crate::receiver) use crate::receiver::testing::{ignored, push as pushed};
use crate::receiver::{Receiver, Rejection, Request, Settings};

/// The settings of every test, with a registry's host; empty for none.
pub(in crate::receiver) fn settings(registry_host: &str) -> Settings {
    let registry_host = (!registry_host.is_empty()).then(|| registry_host.to_owned());
    Settings { registry_host, ..testing::settings() }
}

pub(in crate::receiver) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

/// What a kind makes of a request of the year 2026.
pub(in crate::receiver) fn receive(
    receiver: &dyn Receiver,
    settings: &Settings,
    headers: &HeaderMap,
    body: impl AsRef<[u8]>,
) -> Result<Verdict, Rejection> {
    let arrived = "2026-05-04T07:15:32Z".parse().unwrap();
    receiver.receive(&Request { headers, query: None, body: body.as_ref(), arrived }, settings)
}

fn payloads() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads")
}

/// A recorded or documented body, byte for byte.
pub(in crate::receiver) fn fixture(name: &str) -> Vec<u8> {
    let path = payloads().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The names of the bodies in a folder, without `.json`.
pub(in crate::receiver) fn fixtures(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(payloads().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect()
}
