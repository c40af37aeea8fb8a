//! What holds for every kind of receiver.

use http::HeaderMap;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::event::PushEvent;

fn kinds() -> impl Iterator<Item = (ReceiverKind, &'static dyn Receiver)> {
    ReceiverKind::ALL.into_iter().map(|kind| (kind, implementation(kind)))
}

fn secret() -> Secret {
    Secret::new(b"a secret of more than sixteen bytes".to_vec())
}

fn receive(receiver: &dyn Receiver, sample: Sample) -> Result<Verdict, Rejection> {
    let headers: HeaderMap = sample.headers.into_iter().collect();
    let request = Request {
        headers: &headers,
        query: Some("event=repo_push"),
        body: &sample.body,
        arrived: Timestamp::UNIX_EPOCH,
    };
    let registry_host = Some("registry.example.com".to_owned());
    receiver.receive(&request, &Settings { registry_host, ..Settings::new(secret()) })
}

/// Every sample of every kind, with other bodies put in their place.
fn try_all(body: impl Fn(&[u8]) -> Vec<u8>) {
    let tags = ["1.4.2".to_owned()];
    for (_, receiver) in kinds() {
        let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
        for event in receiver.events() {
            let mut sample = receiver.sample(event, &push).unwrap();
            sample.body = body(&sample.body);
            drop(receive(receiver, sample.clone()));
            // Signed, so that what is behind the authentication is reached.
            drop(receive(receiver, receiver.sign(sample, &secret())));
        }
    }
}

/// Replaces the `count`th value of a document, depth first.
fn replaced(value: &mut Value, count: &mut usize, by: &Value) {
    if *count == 0 {
        value.clone_from(by);
    }
    *count = count.wrapping_sub(1);
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| replaced(element, count, by)),
        Value::Object(members) => members.values_mut().for_each(|member| replaced(member, count, by)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "(https?|ssh)://[ -~]{0,24}".prop_map(Value::from),
        "[a-z0-9./:@%-]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 8))]

    #[test]
    fn no_bytes_make_a_receiver_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        try_all(|_| body.clone());
    }

    #[test]
    fn no_other_value_in_a_body_makes_a_receiver_panic(place in 0_usize..40, value in odd_value()) {
        try_all(|body| {
            let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
            replaced(&mut body, &mut place.clone(), &value);
            body.to_string().into_bytes()
        });
    }

    #[test]
    fn no_cut_makes_a_receiver_panic(kept in 0_usize..600) {
        try_all(|body| body[..kept.min(body.len())].to_vec());
    }
}

/// The pushes that name a tag and neither digest nor commit, because their senders do not know it.
fn names_no_id(kind: ReceiverKind, event: &str) -> bool {
    use ReceiverKind::{DockerHub, Gitea, Msr, Nexus, Quay};
    matches!((kind, event), (Quay | DockerHub | Nexus, _) | (Gitea, "package") | (Msr, "CHART_PUSH"))
}

#[test]
fn a_push_names_the_digest_of_its_tag_or_the_commit_of_its_ref_where_the_sender_gives_it() {
    let tags = ["1.4.2".to_owned()];
    let mut seen = std::collections::BTreeMap::new();
    for (kind, receiver) in kinds() {
        let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
        for event in receiver.events() {
            let sample = receiver.sign(receiver.sample(event, &push).unwrap(), &secret());
            let pushes = match receive(receiver, sample) {
                Ok(Verdict::Push(push)) => vec![push],
                Ok(Verdict::Pushes(pushes)) => pushes,
                _ => continue,
            };
            for push in pushes {
                let is_id = |id: &String| crate::domain::event::is_digest(id) || id.len() == 40;
                let expected = usize::from(!names_no_id(kind, event));
                assert_eq!(push.ids.iter().filter(|id| is_id(id)).count(), expected, "{kind} {event}: {push:?}");
                assert_eq!(push.ids.len(), expected, "{kind} {event}: {push:?}");
                *seen.entry(kind.as_str()).or_insert(0) += expected;
            }
        }
    }
    let silent: Vec<_> = seen.iter().filter(|(_, count)| **count == 0).map(|(kind, _)| *kind).collect();
    assert_eq!(silent, ["dockerhub", "nexus", "quay"]);
}

#[test]
fn the_first_sample_of_every_kind_is_a_push_of_the_given_tags() {
    let tags = ["1.4.2".to_owned()];
    for (kind, receiver) in kinds() {
        let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
        let Some(first) = receiver.events().first() else {
            continue;
        };
        let sample = receiver.sign(receiver.sample(first, &push).unwrap(), &secret());
        let is_push = |event: &PushEvent| {
            let full = [format!("refs/tags/{}", tags[0])];
            !event.repositories.is_empty() && (event.qualifiers == tags || event.qualifiers == full)
        };
        match receive(receiver, sample) {
            Ok(Verdict::Push(event)) => assert!(is_push(&event), "{kind}: {event:?}"),
            Ok(Verdict::Pushes(events)) => assert!(events.len() == 1 && is_push(&events[0]), "{kind}: {events:?}"),
            Ok(Verdict::Actions(_)) => {}
            other => panic!("{kind}: {other:?}"),
        }
    }
}

#[test]
fn every_sample_is_read_once_it_is_signed_and_there_is_none_of_another_event() {
    for (kind, receiver) in kinds() {
        let tags = [receiver.sample_qualifier().to_owned()];
        let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
        for event in receiver.events() {
            let verdict = receive(receiver, receiver.sign(receiver.sample(event, &push).unwrap(), &secret()));
            assert!(verdict.is_ok(), "{kind} {event}: {verdict:?}");
        }
        assert!(receiver.sample("no such event", &push).is_none(), "{kind}");
    }
}

#[test]
fn a_kind_that_signs_reads_nothing_that_is_not_signed() {
    for (kind, receiver) in kinds() {
        let tags = [receiver.sample_qualifier().to_owned()];
        let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
        for event in receiver.events() {
            let plain = receiver.sample(event, &push).unwrap();
            if receiver.sign(plain.clone(), &secret()).headers.len() == plain.headers.len() {
                continue;
            }
            let other = receiver.sign(plain.clone(), &Secret::new(b"another secret".to_vec()));
            for sample in [plain, other] {
                let verdict = receive(receiver, sample);
                assert!(matches!(verdict, Err(Rejection::Unauthorized(_))), "{kind} {event}: {verdict:?}");
            }
        }
    }
}

/// What a kind makes of each of its samples, with the tag `qualifier` and a body changed by `change`.
fn verdicts(qualifier: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<(String, Result<Verdict, Rejection>)> {
    let mut all = Vec::new();
    for (kind, receiver) in kinds() {
        let tags = [qualifier.to_owned()];
        let push = SamplePush { repository: receiver.sample_repository(), qualifiers: &tags, changed_files: &[] };
        for event in receiver.events() {
            let mut sample = receiver.sample(event, &push).unwrap();
            sample.body = change(sample.body);
            all.push((format!("{kind} {event}"), receive(receiver, receiver.sign(sample, &secret()))));
        }
    }
    all
}

#[test]
fn a_byte_order_mark_in_front_of_the_body_changes_no_verdict() {
    let marked = verdicts("1.4.2", |body| [b"\xEF\xBB\xBF".as_slice(), &body].concat());
    assert_eq!(marked, verdicts("1.4.2", |body| body));
}

#[test]
fn a_digest_is_no_tag_in_any_kind() {
    for algorithm in ["sha256", "sha512", "blake3", "multihash+base16"] {
        let digest = format!("{algorithm}:{}", "0123456789abcdef".repeat(8));
        // The sample of DevOps takes the text for a ref as it is.
        for (event, verdict) in
            verdicts(&digest, |body| body).into_iter().filter(|(event, _)| event != "azure git.push")
        {
            let pushes = match verdict {
                Ok(Verdict::Push(push)) => vec![push],
                Ok(Verdict::Pushes(pushes)) => pushes,
                Ok(_) => Vec::new(),
                Err(rejection) => panic!("{event}: {rejection:?}"),
            };
            let tags: Vec<_> = pushes.into_iter().flat_map(|push| push.qualifiers).collect();
            assert!(!tags.iter().any(|tag| crate::domain::event::is_digest(tag)), "{event}: {tags:?}");
        }
    }
}
