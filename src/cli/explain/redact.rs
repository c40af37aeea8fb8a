//! Takes credentials and names out of a captured request, so that it can be attached to a report.
//!
//! Every word that is not part of a sender's vocabulary is replaced by another, the same one wherever it stands, in its
//! case. So the request still shows what it is about: which addresses are the same, which ref is the default branch. It
//! is signed again, with a secret that everybody may know.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::LazyLock;

use http::HeaderMap;
use regex::Regex;
use serde_json::Value;

use super::captured::Captured;
use crate::domain::kind::ReceiverKind;
use crate::domain::secret::Secret;
use crate::receiver::{Sample, implementation};

/// What a redacted request is signed with.
pub(super) const SECRET: &str = "redacted-for-a-report";

/// Headers that say what a request is. All others are left out.
const KEPT: [&str; 17] = [
    "content-type",
    "user-agent",
    "x-github-event",
    "x-github-event-type",
    "x-gitea-event",
    "x-gitea-event-type",
    "x-gogs-event",
    "x-forgejo-event",
    "x-gitlab-event",
    "x-event-key",
    "ce-type",
    "ce-specversion",
    "transfer-encoding",
    "x-nexus-webhook-id",
    "x-goog-message-type",
    "x-hook-event",
    "content-encoding",
];

/// Words that say something to a receiver, or that everybody knows.
const VOCABULARY: &str = "http https ssh git oci refs heads tags tag branch main master latest true false null api apis \
    rest v2 pull pulls pullrequest pullrequests merge merged requests request reject rejected decline declined close closed \
    open opened reopened create created update updated delete deleted add added push pushed publish published unpublished \
    promoted copied package packages registry container docker helm npm maven chart charts image images manifest manifests \
    blobs index config list json yaml yml tar gzip application vnd distribution event events schema type library scm \
    projects repos repositories repository resource resources completed abandoned active succeeded failed user users \
    organization com org net io dev cloud azure visualstudio defaultcollection github gitlab gitea forgejo bitbucket quay \
    dockerhub hub ghcr gcr pkg azurecr amazonaws ecr dkr artifactory jfrog harbor nexus zot msr sha256 sha384 sha512 alpha \
    beta rc snapshot release default hooks hook in webhook webhooks tfs aws google pub sub x86 amd64 arm64 linux semver cosign \
    sig att sbom cloudevents upload success failure nothing none unknown";

static WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let events = ReceiverKind::ALL.into_iter().flat_map(|kind| implementation(kind).events());
    let all = events.copied().chain(ReceiverKind::ALL.into_iter().map(ReceiverKind::as_str)).chain([VOCABULARY]);
    all.flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase).collect()
});

static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b\d{1,3}(\.\d{1,3}){3}\b").expect("the pattern is a constant that compiles"));

/// The request as raw HTTP, without anything that should stay private.
pub(super) fn redact(captured: &Captured, kind: Option<ReceiverKind>) -> String {
    let mut names = Names::default();
    let path = names.text(captured.path.as_deref().unwrap_or("/"));
    let query = captured.query.as_deref().map(|query| format!("?{}", names.text(query))).unwrap_or_default();
    let body = names.body(&captured.body);
    let headers = kept(&captured.headers);
    let sample = Sample { headers, body: body.into_bytes() };
    let sample = match kind {
        Some(kind) => implementation(kind).sign(sample, &Secret::new(SECRET.as_bytes().to_vec())),
        None => sample,
    };
    let mut out = format!("{} {path}{query} HTTP/1.1\n", captured.method);
    for (name, value) in &sample.headers {
        // Writing to a String cannot fail.
        writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).ok();
    }
    writeln!(out, "content-length: {}\n", sample.body.len()).ok();
    out.push_str(&String::from_utf8_lossy(&sample.body));
    out.push('\n');
    out
}

fn kept(headers: &HeaderMap) -> Vec<(http::HeaderName, http::HeaderValue)> {
    let kept = headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str()) && *name != "transfer-encoding");
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Which word stands for which.
#[derive(Default)]
struct Names(HashMap<String, usize>);

impl Names {
    fn body(&mut self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        if let Some(form) = text.strip_prefix("payload=") {
            let json: String = form_urlencoded::parse(format!("p={form}").as_bytes())
                .next()
                .map(|(_, json)| json.into_owned())
                .unwrap_or_default();
            return form_urlencoded::Serializer::new(String::new())
                .append_pair("payload", &self.body(json.as_bytes()))
                .finish();
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(json) => format!("{:#}", self.value(json)),
            Err(_) => self.text(&text),
        }
    }

    fn value(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(elements) => elements.into_iter().map(|element| self.value(element)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(key, value)| (self.key(key), self.value(value))).collect()
            }
            Value::Number(number) => {
                self.text(&number.to_string()).parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
            }
            other => other,
        }
    }

    /// A key of a sender's schema stays; one that is made of data does not.
    fn key(&mut self, key: String) -> String {
        let is_schema = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if is_schema { key } else { self.text(&key) }
    }

    fn text(&mut self, text: &str) -> String {
        let text = ADDRESS.replace_all(text, "192.0.2.1");
        let (mut out, mut rest) = (String::with_capacity(text.len()), &*text);
        while let Some(start) = rest.find(char::is_alphanumeric) {
            let (before, behind) = rest.split_at(start);
            let end = behind.find(|c: char| !c.is_alphanumeric()).unwrap_or(behind.len());
            out.push_str(before);
            out.push_str(&self.word(&behind[..end]));
            rest = &behind[end..];
        }
        out.push_str(rest);
        out
    }

    fn word(&mut self, word: &str) -> String {
        let lower = word.to_lowercase();
        let digits = lower.strip_prefix('v').unwrap_or(&lower);
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        if WORDS.contains(&lower) || (is_number && digits.len() <= 4) || lower.bytes().all(|byte| byte == b'0') {
            return word.to_owned();
        }
        let count = self.0.len() + 1;
        let number = *self.0.entry(lower.clone()).or_insert(count);
        if lower.bytes().all(|byte| byte.is_ascii_digit()) {
            return format!("9{number:0>width$}", width = lower.len().saturating_sub(1).min(15));
        }
        if lower.len() >= 7 && lower.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return format!("{:a>width$}", format!("{number:x}"), width = lower.len());
        }
        match word {
            _ if word == lower => format!("name{number}"),
            _ if word == word.to_uppercase() => format!("NAME{number}"),
            _ => format!("Name{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::captured;
    use super::*;
    use crate::receiver::{Request, Settings};

    const RAW: &str = "POST /in/gitea/6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c6f0c HTTP/1.1\n\
        Host: hooks.lagoon.test\nX-Gitea-Event: push\nX-Hub-Signature-256: sha256=5e17\nAuthorization: Bearer b1ueHeron\n\
        X-Forwarded-For: 10.42.13.72\nContent-Type: application/json\n\n\
        {\"ref\": \"refs/heads/main\", \"before\": \"3fe13fe13fe13fe13fe13fe13fe13fe13fe13fe1\",\n\
        \"after\": \"9ab29ab29ab29ab29ab29ab29ab29ab29ab29ab2\", \"total_commits\": 1, \"pusher\": {\"login\": \"tove\", \"id\": 4711007},\n\
        \"commits\": [{\"id\": \"9ab29ab29ab29ab29ab29ab29ab29ab29ab29ab2\", \"message\": \"ask Tove, 10.42.13.72\", \"modified\": [\"charts/api/values.yaml\"], \"added\": [], \"removed\": []}],\n\
        \"repository\": {\"clone_url\": \"https://git.lagoon.test/Works/Harbour.git\", \"ssh_url\": \"git@git.lagoon.test:works/harbour.git\", \"default_branch\": \"main\"}}";

    #[test]
    fn nothing_private_is_left_and_the_request_means_the_same() {
        let captured = captured::read(RAW.as_bytes()).unwrap();
        let redacted = redact(&captured, Some(ReceiverKind::Gitea));
        for private in [
            "6f0c", "lagoon", "5e17", "b1ue", "10.42", "tove", "Tove", "4711007", "Harbour", "harbour", "9ab2", "3fe1",
            "Works",
        ] {
            assert!(!redacted.contains(private), "{private}: {redacted}");
        }
        let again = captured::read(redacted.as_bytes()).unwrap();
        let settings = Settings::new(Secret::new(SECRET.as_bytes().to_vec()));
        let request =
            Request { headers: &again.headers, query: None, body: &again.body, arrived: jiff::Timestamp::UNIX_EPOCH };
        let verdict = implementation(ReceiverKind::Gitea).receive(&request, &settings).unwrap();
        let crate::domain::event::Verdict::Push(event) = verdict else { panic!("{verdict:?}") };
        assert_eq!(event.qualifiers, ["refs/heads/main"]);
        assert_eq!(event.default_branch.as_deref(), Some("main"));
        assert_eq!((event.repositories.len(), event.changed_files.listed().len()), (2, 1));
        let identity = |url: &String| crate::domain::repo::git_identity(url).unwrap();
        assert_eq!(identity(&event.repositories[0]), identity(&event.repositories[1]), "still one repository");
    }

    #[test]
    fn a_form_and_a_body_of_no_known_form_are_redacted() {
        let mut names = Names::default();
        let form = names.body(b"payload=%7B%22name%22%3A%22lagoon%22%7D");
        assert!(form.starts_with("payload=") && !form.contains("lagoon"), "{form}");
        assert_eq!(names.body(b"lagoon works: Lagoon 1.4.2, LAGOON"), "name1 name2: Name1 1.4.2, NAME1");
    }
}
