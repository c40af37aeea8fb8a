//! What a request says happened, independent of who sent it.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::alias::HostAliases;
use super::criterion::Criterion;

/// Signature, attestation, SBOM and referrers-fallback tags, which say nothing about a new release.
static SIGNATURE_TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(sha256-[0-9a-f]{64}|sha(384|512)-[0-9a-f]{64,121})(\.[a-z0-9]+)?$")
        .expect("the pattern is a constant that compiles")
});

/// Whether a tag is written by signing or referrers tools (`sha256-<digest>[.sig|.att|.sbom|…]`). A longer digest is
/// cut, as a tag has no room for it.
#[must_use]
pub fn is_signature_tag(tag: &str) -> bool {
    tag.starts_with("sha") && SIGNATURE_TAG.is_match(tag)
}

/// The fewest digits that make a digest; MD5, the shortest in use, has 32.
const MIN_DIGEST_DIGITS: usize = 32;

/// Whether a sender wrote a digest (`algorithm:digits`) where the tag belongs, which some do when nothing was tagged. A
/// tag cannot contain a colon.
#[must_use]
pub fn is_digest(tag: &str) -> bool {
    let is_algorithm =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    tag.split_once(':').is_some_and(|(algorithm, digits)| {
        algorithm.split(['+', '.', '_', '-']).all(is_algorithm)
            && digits.len() >= MIN_DIGEST_DIGITS
            && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// Why an event about nothing but such tags asks for nothing.
pub const ONLY_SIGNATURES: &str = "only signature or referrers tags were pushed, which are not releases";

/// Why an event about nothing but digests asks for nothing.
pub const ONLY_DIGESTS: &str = "the push was by digest only, which gives no tag to what was pushed";

/// Something changed in one or more repositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushEvent {
    /// The sender's name for the event, such as `repo_push`.
    pub event: Cow<'static, str>,
    /// Normalised repository URLs that may have changed: sorted, distinct, none empty.
    pub repositories: Vec<String>,
    /// Tags, versions or full Git refs that were pushed: sorted, distinct, none empty. Empty means unknown: every
    /// subscriber is refreshed.
    pub qualifiers: Vec<String>,
    /// Which files a Git push changed.
    pub changed_files: ChangedFiles,
    /// The repository's default branch, where the payload names it.
    pub default_branch: Option<String>,
    /// The commit or digest to which what was pushed points now, where the payload names it. Nothing is selected by it;
    /// it shows whether Kargo has come across the push.
    pub ids: Vec<String>,
}

impl PushEvent {
    /// An event about container images or charts, with its lists brought into order.
    #[must_use]
    pub fn new(event: Cow<'static, str>, repositories: Vec<String>, qualifiers: Vec<String>) -> Self {
        Self {
            event,
            repositories: in_order(repositories),
            qualifiers: in_order(qualifiers),
            changed_files: ChangedFiles::Unknown,
            default_branch: None,
            ids: Vec::new(),
        }
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let files = match &self.changed_files {
            ChangedFiles::Known(files) => files.as_slice(),
            ChangedFiles::Unknown => &[],
        };
        let texts = [&self.repositories, &self.qualifiers, &self.ids].into_iter().flatten().chain(files);
        texts.map(|text| text.len() + size_of::<String>()).sum()
    }

    /// The same event with the commits or digests to which it points.
    #[must_use]
    pub fn with_ids(self, ids: Vec<String>) -> Self {
        Self { ids: in_order(ids), ..self }
    }

    /// The same event with the digests of its tags. They count only when there is one for each tag: otherwise a tag
    /// without one would be taken for a tag that is not listed.
    #[must_use]
    pub fn with_digests(self, digests: Vec<String>) -> Self {
        let has_all = digests.iter().all(|digest| is_digest(digest));
        self.with_ids(if has_all { digests } else { Vec::new() })
    }

    /// The same event with what only a Git push says.
    #[must_use]
    pub fn with_git(self, changed_files: ChangedFiles, default_branch: Option<String>) -> Self {
        Self { changed_files, default_branch, ..self }
    }

    /// The same event about the other names of its repositories, too.
    #[must_use]
    pub fn also_known_as(mut self, aliases: [&HostAliases; 2]) -> Self {
        let names: Vec<String> =
            self.repositories.iter().flat_map(|url| aliases.map(|set| set.of(url))).flatten().collect();
        if !names.is_empty() {
            self.repositories.extend(names);
            self.repositories = in_order(self.repositories);
        }
        self
    }
}

/// Which files a Git push changed. Only a complete list can show that a push concerns nobody who filters by path, so a
/// list that may lack something counts as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChangedFiles {
    /// All of them: sorted, distinct, at least one.
    Known(Vec<String>),
    /// The sender does not list them, or not completely.
    #[default]
    Unknown,
}

impl ChangedFiles {
    /// A complete list. A push that changes no file is judged as one whose files are unknown, as Kargo does.
    #[must_use]
    pub fn complete(mut files: Vec<String>) -> Self {
        files.sort_unstable();
        files.dedup();
        if files.is_empty() { Self::Unknown } else { Self::Known(files) }
    }

    /// The files of a complete list; none when they are unknown.
    #[must_use]
    pub fn listed(&self) -> &[String] {
        match self {
            Self::Known(files) => files,
            Self::Unknown => &[],
        }
    }
}

impl PullRequestEvent {
    /// An event about this pull request.
    #[must_use]
    pub const fn new(event: Cow<'static, str>, url: String) -> Self {
        Self { event, url }
    }
}

impl IgnoredEvent {
    /// An event that names nothing of interest.
    #[must_use]
    pub fn new(event: Cow<'static, str>, because: &'static str) -> Self {
        Self::about(PushEvent::new(event, Vec::new(), Vec::new()), because)
    }

    /// An event that is about something, and asks for nothing all the same.
    #[must_use]
    pub fn about(event: PushEvent, because: &'static str) -> Self {
        let PushEvent { event, repositories, qualifiers, .. } = event;
        Self { event, repositories, qualifiers, because }
    }
}

fn in_order(mut values: Vec<String>) -> Vec<String> {
    values.retain(|value| !value.is_empty());
    values.sort_unstable();
    values.dedup();
    values
}

/// A pull request was closed, whether merged or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestEvent {
    /// The sender's name for the event.
    pub event: Cow<'static, str>,
    /// The address under which a waiting Promotion knows the pull request, as the sender gives it. Empty finds nothing.
    pub url: String,
}

/// What became of one action of a `generic` receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionVerdict {
    /// The action's name.
    pub action: String,
    /// What it asks for.
    pub result: ActionResult,
}

/// What an action asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionResult {
    /// An expression of the action could not be evaluated.
    Failed {
        /// Whether its condition had held by then.
        matched: bool,
        /// What failed, in Kargo's words.
        summary: &'static str,
        /// The class of the error; never a text from the request or the configuration.
        class: &'static str,
        /// What is wrong and in which field, for whoever may see the configuration: logs and `explain`, never an
        /// answer. Nothing of it comes from the request.
        detail: String,
    },
    /// Its condition does not hold.
    NotApplicable,
    /// Refresh what at least one of these selects.
    Refresh(Vec<Criterion>),
    /// The action is none that is known; only possible past admission.
    Unknown,
}

impl ActionResult {
    /// The criteria of an action cannot be evaluated. The summary is Kargo's.
    #[must_use]
    pub const fn criteria_failed(class: &'static str, detail: String) -> Self {
        Self::Failed { matched: true, summary: "Error evaluating targetSelectionCriteria", class, detail }
    }

    /// The condition of an action cannot be evaluated. The summary is Kargo's.
    #[must_use]
    pub const fn condition_failed(class: &'static str, detail: String) -> Self {
        Self::Failed { matched: false, summary: "Error evaluating whenExpression", class, detail }
    }
}

/// An authentic event that asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredEvent {
    /// The sender's name for the event.
    pub event: Cow<'static, str>,
    /// The repositories it is about, normalised as in [`PushEvent::repositories`].
    pub repositories: Vec<String>,
    /// The tags it names, kept for whoever asks why nothing happened.
    pub qualifiers: Vec<String>,
    /// Why nothing is to be done; a sentence without any value taken from the request.
    pub because: &'static str,
}

/// What the receiver made of an authentic request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Refresh whoever subscribes to it.
    Push(PushEvent),
    /// Refresh whoever subscribes to one of them. Each stands for itself: the qualifiers of one do not count for the
    /// repositories of another.
    Pushes(Vec<PushEvent>),
    /// Refresh the Promotions that wait for this pull request.
    PullRequest(PullRequestEvent),
    /// Do what the actions of a `generic` receiver came to, in their order.
    Actions(Vec<ActionVerdict>),
    /// Acknowledge it and do nothing.
    Ignored(IgnoredEvent),
}

impl Verdict {
    /// What a push to a registry comes to. Signature tags and digests are no releases: beside a release they do not
    /// count, and a push of nothing else asks for nothing.
    #[must_use]
    pub fn of_tags(mut event: PushEvent) -> Self {
        let is_release = |tag: &String| !is_signature_tag(tag) && !is_digest(tag);
        if !event.qualifiers.is_empty() && !event.qualifiers.iter().any(is_release) {
            let because =
                if event.qualifiers.iter().all(|tag| is_digest(tag)) { ONLY_DIGESTS } else { ONLY_SIGNATURES };
            return Self::Ignored(IgnoredEvent::about(event, because));
        }
        event.qualifiers.retain(is_release);
        Self::Push(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_tags_are_told_from_release_tags() {
        let digest = "a".repeat(64);
        for suffix in ["", ".sig", ".att", ".sbom"] {
            assert!(is_signature_tag(&format!("sha256-{digest}{suffix}")), "{suffix}");
        }
        for tag in ["sha256-abc", "1.2.3", "latest", "SHA256-abc", ""] {
            assert!(!is_signature_tag(tag), "{tag}");
        }
        assert!(!is_signature_tag(&format!("sha256-{digest}.SIG")));
        assert!(!is_signature_tag(&format!("sha256-{digest}-1")));
        assert!(
            is_signature_tag(&format!("sha512-{digest}"))
                && is_signature_tag(&format!("sha384-{digest}{digest:.32}.sig"))
        );
        assert!(!is_signature_tag(&format!("sha256-{digest}0")) && !is_signature_tag(&format!("sha1-{digest}")));
    }

    #[test]
    fn a_digest_of_any_algorithm_is_told_from_a_tag() {
        let digits = "0123456789abcdef".repeat(4);
        for digest in ["sha256:", "sha512:", "blake3:", "multihash+base16:", "sha256+b64u.x:"] {
            assert!(is_digest(&format!("{digest}{digits}")), "{digest}");
        }
        assert!(is_digest(&format!("sha512:{digits}{digits}")) && is_digest(&format!("md5:{}", &digits[..32])));
        for tag in ["latest", "1.0:2", "sha256:abc", "sha256:", ":", "registry.example:5000", "a:b"] {
            assert!(!is_digest(tag), "{tag}");
        }
        assert!(!is_digest(&digits) && !is_digest(&format!(":{digits}")) && !is_digest(&format!("sha256:{digits}g")));
        assert!(!is_digest(&format!("SHA256:{digits}")) && !is_digest(&format!("sha256:{digits}:{digits}")));
    }

    #[test]
    fn a_push_of_nothing_but_signatures_or_digests_asks_for_nothing() {
        let (signature, digest) = (format!("sha256-{}.sig", "a".repeat(64)), format!("sha256:{}", "a".repeat(64)));
        let verdict = |tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            match Verdict::of_tags(PushEvent::new("push".into(), vec!["quay.io/a/b".to_owned()], tags)) {
                Verdict::Push(event) => Ok(event.qualifiers),
                Verdict::Ignored(event) => Err((event.because, event.qualifiers.len())),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(verdict(&[]), Ok(Vec::new()));
        assert_eq!(verdict(&[&signature, "1.0", &digest]), Ok(vec!["1.0".to_owned()]));
        assert_eq!(verdict(&[&signature]), Err((ONLY_SIGNATURES, 1)));
        assert_eq!(verdict(&[&signature, &digest]), Err((ONLY_SIGNATURES, 2)));
        assert_eq!(verdict(&[&digest]), Err((ONLY_DIGESTS, 1)));
        assert_eq!(verdict(&["sha256:abc"]), Ok(vec!["sha256:abc".to_owned()]));
    }

    #[test]
    fn digests_count_only_when_every_tag_has_one() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let ids = |digests: &[&str]| {
            let digests = digests.iter().map(|digest| (*digest).to_owned()).collect();
            PushEvent::default().with_digests(digests).ids
        };
        assert_eq!(ids(&[&digest, &digest]), [&*digest]);
        for lacking in ["", "latest", "sha256:abc"] {
            assert_eq!(ids(&[&digest, lacking]), Vec::<String>::new(), "{lacking}");
        }
    }

    #[test]
    fn lists_are_sorted_distinct_and_without_empty_values() {
        let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let event = PushEvent::new("repo_push".into(), texts(&["b", "a", "b"]), texts(&["", "2", "1"]));
        assert_eq!(event.repositories, texts(&["a", "b"]));
        assert_eq!(event.qualifiers, texts(&["1", "2"]));
    }
}
