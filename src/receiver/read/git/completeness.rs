//! Whatever list of commits a Git host sends: with less of it, an event never concerns fewer subscribers.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::event::{ChangedFiles, PushEvent};
use crate::domain::kind::ReceiverKind;
use crate::receiver::testing::{push, signed};
use crate::receiver::{Sample, SamplePush, implementation};

/// A directory that a subscriber listens to.
const SELECTED: &str = "charts/";
/// What a commit changes.
const FILES: [&str; 4] = ["charts/api/values.yaml", "docs/install.md", "README.md", "src/main.rs"];

/// Kind, the event of a push, the member that holds the pushed commits' number, and whether the sender lists commits.
const HOSTS: [(ReceiverKind, &str, &str, bool); 6] = [
    (ReceiverKind::GitHub, "push", "", true),
    (ReceiverKind::GitLab, "Push Hook", "total_commits_count", true),
    (ReceiverKind::Gitea, "push", "total_commits", true),
    (ReceiverKind::Bitbucket, "repo:push", "", false),
    (ReceiverKind::Bitbucket, "repo:refs_changed", "", false),
    (ReceiverKind::Azure, "git.push", "", false),
];

/// A push as the sender knows it.
#[derive(Clone, Debug)]
struct Pushed {
    /// The files of each commit, by list.
    commits: Vec<[Vec<usize>; 3]>,
    /// How many of the commits are sent, at most.
    limit: usize,
    created: bool,
    forced: bool,
}

/// What is taken out of the body.
#[derive(Clone, Copy, Debug)]
enum Removal {
    Member(&'static str),
    Null(&'static str),
    AllCommits,
    /// All that this commit says about files.
    FilesOf(usize),
    /// The older half of the commits, as a sender with a lower limit does.
    OlderHalf,
}

fn pushes() -> impl Strategy<Value = Pushed> {
    let files = || prop::collection::vec(0..FILES.len(), 0..3);
    let commit = (files(), files(), files()).prop_map(|(added, modified, removed)| [added, modified, removed]);
    (prop::collection::vec(commit, 0..8), 0..8_usize, prop::bool::weighted(0.2), prop::bool::weighted(0.2))
        .prop_map(|(commits, limit, created, forced)| Pushed { commits, limit, created, forced })
}

fn removals() -> impl Strategy<Value = Removal> {
    let member = prop::sample::select(vec![
        "before",
        "created",
        "forced",
        "commits",
        "head_commit",
        "total_commits",
        "total_commits_count",
    ]);
    prop_oneof![
        member.clone().prop_map(Removal::Member),
        member.prop_map(Removal::Null),
        Just(Removal::AllCommits),
        (0..8_usize).prop_map(Removal::FilesOf),
        Just(Removal::OlderHalf),
    ]
}

impl Pushed {
    /// The body that the host sends, from its sample.
    fn body(&self, kind: ReceiverKind, event: &str, count: &str, lists_commits: bool) -> Value {
        let repository =
            if kind == ReceiverKind::Azure { "https://dev.azure.com/n/s/_git/r" } else { "https://h.example/n/s" };
        let refs = ["refs/heads/main".to_owned()];
        let sampled = SamplePush { repository, qualifiers: &refs, changed_files: &[] };
        let sample = implementation(kind).sample(event, &sampled).unwrap();
        let mut body: Value = serde_json::from_slice(&sample.body).unwrap();
        if !lists_commits {
            return body;
        }
        let commit = |files: &[Vec<usize>; 3]| {
            let [added, modified, removed] =
                files.each_ref().map(|list| list.iter().map(|&file| FILES[file]).collect::<Vec<_>>());
            json!({"added": added, "modified": modified, "removed": removed})
        };
        let commits: Vec<Value> = self.commits.iter().map(commit).collect();
        // GitHub says no number, but sends all commits.
        let first = if count.is_empty() { 0 } else { commits.len().saturating_sub(self.limit) };
        body["commits"] = json!(commits[first..]);
        body["head_commit"] = commits.last().cloned().unwrap_or_default();
        if self.created {
            body["before"] = json!("0".repeat(40));
        }
        if count.is_empty() {
            (body["created"], body["forced"]) = (json!(self.created), json!(self.forced));
        } else {
            body[count] = json!(commits.len());
        }
        body
    }
}

impl Removal {
    fn of(self, mut body: Value, counts: bool) -> Value {
        let members = body.as_object_mut().unwrap();
        let commits = members.get_mut("commits").and_then(Value::as_array_mut);
        match (self, commits) {
            (Self::Member(name), _) => drop(members.remove(name)),
            (Self::Null(name), _) => drop(members.insert(name.to_owned(), Value::Null)),
            (Self::AllCommits, Some(commits)) => commits.clear(),
            (Self::FilesOf(index), Some(commits)) if index < commits.len() => commits[index] = json!({"id": "9f2c"}),
            (Self::OlderHalf, Some(commits)) if counts => drop(commits.drain(..commits.len().div_ceil(2))),
            (Self::AllCommits | Self::FilesOf(_) | Self::OlderHalf, _) => {}
        }
        body
    }
}

fn concerns_a_subscriber_of_charts(kind: ReceiverKind, event: &str, body: &Value) -> bool {
    let refs = ["refs/heads/main".to_owned()];
    let any = SamplePush { repository: "https://h.example/n/s", qualifiers: &refs, changed_files: &[] };
    let sample = implementation(kind).sample(event, &any).unwrap();
    let sample = Sample { body: body.to_string().into_bytes(), ..sample };
    let PushEvent { changed_files, repositories, .. } = push(signed(implementation(kind), sample));
    assert!(!repositories.is_empty());
    match changed_files {
        ChangedFiles::Unknown => true,
        ChangedFiles::Known(files) => files.iter().any(|file| file.starts_with(SELECTED)),
    }
}

fn check(host: usize, pushed: &Pushed, removals: &[Removal]) {
    let (kind, event, count, lists_commits) = HOSTS[host];
    let body = pushed.body(kind, event, count, lists_commits);
    let before = concerns_a_subscriber_of_charts(kind, event, &body);
    let less = removals.iter().fold(body.clone(), |body, removal| removal.of(body, !count.is_empty()));
    let after = concerns_a_subscriber_of_charts(kind, event, &less);
    assert!(after || !before, "{kind}: {body} refreshes, but not {less}");
    let changes = pushed.commits.iter().flatten().flatten().any(|&file| FILES[file].starts_with(SELECTED));
    assert!(before || !changes, "{kind}: a change below {SELECTED} is missed: {body}");
}

macro_rules! hosts {
    ($($name:ident: $index:literal,)*) => {
        proptest! {
            $(
                #[test]
                fn $name(pushed in pushes(), removals in prop::collection::vec(removals(), 1..3)) {
                    check($index, &pushed, &removals);
                }
            )*
        }
    };
}

hosts! {
    less_of_a_list_of_github_never_ends_a_refresh: 0,
    less_of_a_list_of_gitlab_never_ends_a_refresh: 1,
    less_of_a_list_of_gitea_never_ends_a_refresh: 2,
    bitbucket_cloud_never_ends_a_refresh_by_files: 3,
    bitbucket_data_center_never_ends_a_refresh_by_files: 4,
    azure_devops_never_ends_a_refresh_by_files: 5,
}

#[test]
fn a_complete_list_without_a_selected_file_does_end_it() {
    for (kind, event, count, lists_commits) in HOSTS {
        let pushed = Pushed { commits: vec![[vec![], vec![1], vec![]]; 2], limit: 7, created: false, forced: false };
        let body = pushed.body(kind, event, count, lists_commits);
        assert_eq!(concerns_a_subscriber_of_charts(kind, event, &body), !lists_commits, "{kind}");
    }
}
