//! Reads the recorded verdicts of Kargo's own code from `tests/fixtures/vectors` (see the README there).

use std::collections::BTreeMap;
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

/// Our own verdicts on the cases of one file, where they differ from Kargo's, from `ours` beside it. Each is exact, so
/// that a mark never stands for "anything but an error".
pub(crate) struct Ours {
    file: &'static str,
    recorded: BTreeMap<String, Value>,
    wrong: Vec<String>,
}

impl Ours {
    /// Those of one file.
    pub(crate) fn of(file: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/vectors/ours/{file}.jsonl"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let recorded = lines.map(|line| (line["id"].as_str().unwrap().to_owned(), line)).collect();
        Self { file, recorded, wrong: Vec::new() }
    }

    /// Takes our verdict on a case, which has to be the recorded one where it differs from Kargo's.
    pub(crate) fn check(&mut self, case: &Value, mut ours: Value, differs: bool) {
        ours["id"] = case["id"].clone();
        match self.recorded.remove(text(case, "id")) {
            Some(recorded) if differs && recorded == ours => {}
            None if !differs => {}
            Some(_) if !differs => self.wrong.push(format!("(no line for {})", case["id"])),
            Some(_) | None => self.wrong.push(ours.to_string()),
        }
    }

    /// Leaves out a case that another test looks at.
    pub(crate) fn skip(&mut self, case: &Value) {
        drop(self.recorded.remove(text(case, "id")));
    }

    /// Panics with the lines that are missing or wrong, and those that belong to no case.
    pub(crate) fn finish(self) {
        let (file, wrong) = (self.file, self.wrong.join("\n"));
        assert!(wrong.is_empty(), "vectors/ours/{file}.jsonl must have these lines, if they are meant:\n{wrong}");
        assert!(self.recorded.is_empty(), "vectors/ours/{file}.jsonl is about no case in {:?}", self.recorded);
    }
}

/// A string member; empty when absent.
pub(crate) fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap_or_default()
}

/// The bytes behind a base64 member.
pub(crate) fn base64(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}
