//! Refs, files, forms and addresses.

use http::HeaderMap;

use super::*;

#[test]
fn changed_files_are_those_of_all_commits_unless_one_of_them_does_not_list_any() {
    let files = |commits: &str| {
        let body = format!(r#"{{"before":"9f2c","commits":{commits}}}"#);
        read_object(body.as_bytes(), |body| changed_files(body, &body.objects("commits")?, true))
    };
    let known = |files: &[&str]| Ok(ChangedFiles::Known(files.iter().map(|&file| file.to_owned()).collect()));
    let commits = r#"[{"added":["c"],"modified":["a"]},{"removed":["b",null]},{"added":null,"removed":[]}]"#;
    assert_eq!(files(commits), known(&["", "a", "b", "c"]));
    for unknown in [r#"[{"added":["c"]},null]"#, r#"[{"added":["c"]},{"added":null}]"#, r#"[{"added":[]}]"#, "[]"] {
        assert_eq!(files(unknown), Ok(ChangedFiles::Unknown), "{unknown}");
    }
    assert_eq!(files(r#"[{"added":"a"}]"#), Err(Malformed));
    assert_eq!(files("[1]"), Err(Malformed));
}

#[test]
fn a_list_is_complete_only_for_a_ref_that_moved_forward_from_a_known_place() {
    let files = |members: &str, all_listed: bool| {
        let body = format!(r#"{{{members}"commits":[{{"added":["c"]}}]}}"#);
        let read = |body: &Object<'_>| changed_files(body, &body.objects("commits")?, all_listed);
        read_object(body.as_bytes(), read).unwrap().listed().len()
    };
    let forward = r#""before":"9f2c","created":false,"forced":false,"#;
    assert_eq!((files(forward, true), files(forward, false)), (1, 0));
    for afresh in [
        "",
        r#""before":"000","#,
        r#""before":null,"#,
        r#""before":"9f2c","created":true,"#,
        r#""before":"9f2c","forced":true,"#,
        r#""before":"9f2c","forced":"true","#,
    ] {
        assert_eq!(files(afresh, true), 0, "{afresh}");
    }
}

#[test]
fn only_a_form_with_a_payload_is_unpacked() {
    let json = |content_type: &'static str, body: &'static [u8]| {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
        String::from_utf8(
            json_of(&Request { headers: &headers, query: None, body, arrived: jiff::Timestamp::UNIX_EPOCH })
                .into_owned(),
        )
        .unwrap()
    };
    assert_eq!(json("application/x-www-form-urlencoded", b"payload=%7B%22a+b%22%3A1%7D&x=1"), r#"{"a b":1}"#);
    assert_eq!(json("Application/x-www-form-urlencoded; charset=utf-8", b"payload=1"), "1");
    assert_eq!(json("application/json", b"payload=1"), "payload=1");
    assert_eq!(json("application/x-www-form-urlencoded", b"{\"payload\":1}"), r#"{"payload":1}"#);
}

#[test]
fn only_zeros_are_the_null_id() {
    assert!(is_null_id(&"0".repeat(40)) && is_null_id(&"0".repeat(64)));
    assert!(!is_null_id("") && !is_null_id(SAMPLE_IDS.0));
}

#[test]
fn an_address_is_read_from_every_spelling() {
    for spelling in [
        "https://h.example/a/b.git",
        "ssh://git@h.example:7999/a/b",
        "git@h.example:a/b.git",
        "http://u:p@h.example/a/b/",
    ] {
        let address = Address::of(spelling);
        assert_eq!(
            (address.https().as_str(), address.ssh().as_str(), address.name()),
            ("https://h.example/a/b.git", "git@h.example:a/b.git", "b"),
            "{spelling}"
        );
    }
    assert_eq!(Address::of("https://h.example:8443/a/b").https(), "https://h.example:8443/a/b.git");
    assert_eq!(pull_request("https://h.example/a/b", "/pull/"), "https://h.example/a/b/pull/1");
    assert_eq!(pull_request("https://h.example/a/b/pull/7", "/pull/"), "https://h.example/a/b/pull/7");
}

#[test]
fn a_bare_name_is_a_tag() {
    assert_eq!(full_ref("2.7.1"), "refs/tags/2.7.1");
    assert_eq!(full_ref("refs/heads/main"), "refs/heads/main");
}

#[test]
fn an_event_without_a_name_or_with_an_endless_one_is_named_all_the_same() {
    let name = |event: &str| match unsupported(event) {
        Verdict::Ignored(ignored) => ignored.event.into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(name(""), "unnamed");
    assert_eq!(name(&"x".repeat(1000)).len(), MAX_NAME);
}
