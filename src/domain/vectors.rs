//! Reads the recorded verdicts of Kargo's own code from `tests/fixtures/vectors` (see the README there).

use std::io::Read;
use std::path::Path;

use base64::Engine;
use flate2::read::GzDecoder;
use serde_json::Value;

/// Every case of one file.
pub(crate) fn lines(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/vectors/{file}.jsonl.gz"));
    let mut content = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut content).unwrap();
    content.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A string member; empty when absent.
pub(crate) fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap_or_default()
}

/// The bytes behind a base64 member.
pub(crate) fn base64(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}
