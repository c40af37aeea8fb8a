//! Which sender made a request, by what only that sender does.

use http::HeaderMap;
use serde_json::Value;

use super::captured::Captured;
use crate::domain::kind::ReceiverKind::{self, *};

/// A guess, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) kind: ReceiverKind,
    pub(super) because: String,
}

/// Header, how its value begins in lower case, kind. The first that fits counts: Gitea and Forgejo send GitHub's, too.
const HEADERS: [(&str, &str, ReceiverKind); 14] = [
    ("x-gitea-event", "", Gitea),
    ("x-forgejo-event", "", Gitea),
    ("x-github-event", "", GitHub),
    ("x-gitlab-event", "", GitLab),
    ("x-gitlab-token", "", GitLab),
    ("x-event-key", "", Bitbucket),
    ("x-jfrog-event-auth", "", Artifactory),
    ("x-nexus-webhook-id", "", Nexus),
    ("x-nexus-webhook-signature", "", Nexus),
    ("user-agent", "azurecontainerregistry", Azure),
    ("user-agent", "vsservices", Azure),
    ("ce-type", "zotregistry.", Zot),
    ("ce-type", "harbor.", Harbor),
    ("content-type", "application/vnd.docker.distribution.events", Distribution),
];

/// Members of the body, how the text of the last one begins, kind.
const MEMBERS: [(&[&str], &str, ReceiverKind); 16] = [
    (&["/docker_url", "/updated_tags"], "", Quay),
    (&["/docker_url", "/repository"], "", Quay),
    (&["/push_data", "/repository/repo_name"], "", DockerHub),
    (&["/event_data", "/occur_at"], "", Harbor),
    (&["/type"], "harbor.", Harbor),
    (&["/type"], "zotregistry.", Zot),
    (&["/events/0/target", "/events/0/action"], "", Distribution),
    (&["/detail", "/source"], "aws.ecr", Ecr),
    (&["/message/data", "/subscription"], "projects/", ArtifactRegistry),
    (&["/data", "/event_type", "/domain"], "", Artifactory),
    (&["/resource", "/eventType", "/publisherId"], "tfs", Azure),
    (&["/target/repository", "/request/host", "/action"], "", Azure),
    (&["/contents/repository", "/type"], "", Msr),
    (&["/contents", "/location"], "", Msr),
    (&["/repositoryName", "/component"], "", Nexus),
    (&["/project", "/object_kind"], "", GitLab),
];

/// `None` when nothing gives the sender away; a `generic` receiver can take anything.
pub(super) fn guess(captured: &Captured) -> Option<Guess> {
    of_path(captured.path.as_deref().unwrap_or_default())
        .or_else(|| of_headers(&captured.headers))
        .or_else(|| of_body(&captured.body))
}

/// The last but one segment of a receiver's path is its kind.
fn of_path(path: &str) -> Option<Guess> {
    let (rest, digest) = path.trim_end_matches('/').rsplit_once('/')?;
    let kind = ReceiverKind::parse(rest.rsplit('/').next()?)?;
    (digest.len() >= 32).then(|| Guess { kind, because: "its path".to_owned() })
}

fn of_headers(headers: &HeaderMap) -> Option<Guess> {
    let fits = |(name, begin, _): &&(&str, &str, ReceiverKind)| {
        let values = headers.get_all(*name).iter();
        values.into_iter().any(|value| value.as_bytes().to_ascii_lowercase().starts_with(begin.as_bytes()))
    };
    let (name, _, kind) = HEADERS.iter().find(fits)?;
    Some(Guess { kind: *kind, because: format!("the header {name}") })
}

fn of_body(body: &[u8]) -> Option<Guess> {
    let body: Value =
        serde_json::from_slice(body.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()?;
    let fits = |(members, begin, _): &&(&[&str], &str, ReceiverKind)| {
        let found: Option<Vec<_>> = members.iter().map(|member| body.pointer(member)).collect();
        let last = found.and_then(|found| found.last().copied());
        last.is_some_and(|last| begin.is_empty() || last.as_str().is_some_and(|text| text.starts_with(begin)))
    };
    let (members, _, kind) = MEMBERS.iter().find(fits)?;
    Some(Guess { kind: *kind, because: format!("the members {} of its body", members.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::{SamplePush, implementation};

    #[test]
    fn every_sample_of_a_push_gives_its_sender_away() {
        for kind in ReceiverKind::ALL.into_iter().filter(|kind| *kind != Generic) {
            let sender = implementation(kind);
            let qualifiers = [sender.sample_qualifier().to_owned()];
            let push =
                SamplePush { repository: sender.sample_repository(), qualifiers: &qualifiers, changed_files: &[] };
            let sample = sender.sample(sender.events()[0], &push).unwrap();
            let captured = Captured {
                headers: sample.headers.iter().cloned().collect(),
                body: sample.body,
                ..Captured::default()
            };
            assert_eq!(guess(&captured).map(|guess| guess.kind), Some(kind), "{kind}");
        }
        let path = format!("/in/quay/{}", "a".repeat(64));
        let captured = Captured { path: Some(path), body: b"{}".to_vec(), ..Captured::default() };
        assert_eq!(guess(&captured).unwrap().kind, Quay);
        assert_eq!(guess(&Captured { body: b"{}".to_vec(), ..Captured::default() }), None);
    }
}
