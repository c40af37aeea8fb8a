//! `quayside quay` against the stand-in for Quay.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{QuayStandIn, Ran, Right};

const URL: &str = "https://hooks.example.com/quay/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "https://other.example.com/quay/fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// A Quay, and the files with which the command reaches it.
struct Scene {
    quay: QuayStandIn,
    token: String,
    dir: TempDir,
}

impl Scene {
    fn new(repositories: &[&str]) -> Self {
        let (quay, dir) = (QuayStandIn::start(), TempDir::new().unwrap());
        for repository in repositories {
            quay.repository(repository);
        }
        let token = quay.token();
        std::fs::write(dir.path().join("token"), format!("{token}\n")).unwrap();
        std::fs::write(dir.path().join("url"), format!("{URL}\n")).unwrap();
        Self { quay, token, dir }
    }

    /// Runs the command as a person does, with the token and the URL in files, and looks that neither is shown.
    fn run(&self, line: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quayside"));
        command.arg("quay").args(line.split_whitespace()).current_dir(self.dir.path());
        let given = |variable: &str| line.contains("--token-file") && variable == "QUAYSIDE_QUAY_TOKEN";
        command.env("QUAYSIDE_QUAY_ENDPOINT", self.quay.endpoint()).env_remove("QUAYSIDE_URL").env("NO_PROXY", "*");
        if !given("QUAYSIDE_QUAY_TOKEN") {
            command.env("QUAYSIDE_QUAY_TOKEN", &self.token);
        }
        let ran = Ran::of(&mut command, "");
        for credential in [&self.token, URL, OTHER, "0123456789abcdef01234567"] {
            assert!(!ran.out.contains(credential) && !ran.err.contains(credential), "{}\n{}", ran.out, ran.err);
        }
        ran
    }

    /// What the JSON says of each repository: its outcome, and how many hooks were changed.
    fn outcomes(&self, line: &str) -> Vec<(String, String, u64)> {
        let ran = self.run(&format!("{line} -o json"));
        let body: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
        let told = |row: &Value| {
            let text = |member: &str| row[member].as_str().unwrap().to_owned();
            (text("repository"), text("outcome"), row["changed"].as_u64().unwrap())
        };
        body["repositories"].as_array().unwrap().iter().map(told).collect()
    }
}

fn told(expected: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    expected.iter().map(|(name, outcome, changed)| ((*name).to_owned(), (*outcome).to_owned(), *changed)).collect()
}

#[test]
fn a_url_is_registered_once_wherever_it_is_missing_and_doubles_of_ours_go() {
    let scene = Scene::new(&["northwind/a", "northwind/b", "northwind/c", "northwind/d"]);
    let ours = |name: &str| scene.quay.add(name, Some("Quayside"), URL);
    let (first, double) = (ours("northwind/b"), ours("northwind/b"));
    scene.quay.fail("northwind/b", &first, 3);
    scene.quay.add("northwind/b", Some("Quayside"), OTHER);
    scene.quay.add("northwind/b", Some("by hand"), URL);
    scene.quay.add("northwind/c", None, URL);
    let register = "register --organization northwind --url-file url";
    let expected = told(&[
        ("northwind/a", "registered", 1),
        ("northwind/b", "present", 1),
        ("northwind/c", "present", 0),
        ("northwind/d", "registered", 1),
    ]);
    assert_eq!(scene.outcomes(&format!("{register} --dry-run")), expected);
    let writes = || ["create", "delete", "reset", "test"].map(|what| scene.quay.count(what)).iter().sum::<usize>();
    assert_eq!((writes(), scene.quay.audit().len()), (0, 0), "a dry run only looks");
    assert_eq!(scene.outcomes(register), expected);
    assert_eq!(writes(), 3);
    let made = scene.quay.hooks("northwind/a");
    assert_eq!(made.len(), 1);
    assert_eq!(
        (made[0].title.as_deref(), made[0].url.as_str(), made[0].event.as_str()),
        (Some("Quayside"), URL, "repo_push")
    );
    let left: Vec<_> = scene.quay.hooks("northwind/b").into_iter().map(|hook| hook.uuid).collect();
    assert_eq!(left.len(), 3, "the others' are untouched");
    assert!(left.contains(&double) && !left.contains(&first), "the one that works stays");
    let again = scene.outcomes(register);
    assert!(again.iter().all(|(_, outcome, changed)| outcome == "present" && *changed == 0), "{again:?}");
    assert_eq!(writes(), 3);
}

#[test]
fn each_event_has_a_hook_of_its_own() {
    let scene = Scene::new(&["northwind/team-a/web"]);
    let register = "register --url-file url --event repo_push --event repo_mirror_sync_success northwind/team-a/web";
    assert_eq!(scene.outcomes(register), told(&[("northwind/team-a/web", "registered", 2)]));
    let mut events: Vec<_> = scene.quay.hooks("northwind/team-a/web").into_iter().map(|hook| hook.event).collect();
    events.sort();
    assert_eq!(events, ["repo_mirror_sync_success", "repo_push"]);
    assert_eq!(scene.outcomes(register), told(&[("northwind/team-a/web", "present", 0)]));
}

#[test]
fn the_list_shows_everything_but_the_url() {
    let scene = Scene::new(&["northwind/a", "northwind/b"]);
    let id = scene.quay.add("northwind/a", Some("Quayside"), URL);
    let failing = scene.quay.add("northwind/a", None, OTHER);
    scene.quay.fail("northwind/a", &failing, 3);
    let ran = scene.run("list --organization northwind --token-file token");
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["REPOSITORY", "ID", "TITLE", "EVENT", "FAILURES", "STATE", "URL", "OURS"]);
    let line = |id: &str| lines.iter().find(|line| line.contains(&id)).unwrap().clone();
    let (ours, other) = (line(&id), line(&failing));
    assert_eq!((ours[2], ours[3], ours[4], ours[5], ours[7]), ("Quayside", "repo_push", "0", "enabled", "yes"));
    assert_eq!((other[2], other[3], other[4], other[6]), ("repo_push", "3", "switched_off", "no"));
    assert_ne!(ours[6], other[5], "fingerprints differ");
    assert!(lines.iter().any(|line| line[0] == "northwind/b" && line.contains(&"none")), "{}", ran.out);
    assert!(ran.err.contains("the token is admin of 2 of 2 repositories"), "{}", ran.err);
    assert!(ran.err.contains("1 webhook(s) are switched off"), "{}", ran.err);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn only_failing_hooks_of_ours_are_healed_and_tests_need_a_hook_that_is_on() {
    let scene = Scene::new(&["northwind/a", "northwind/b", "northwind/c"]);
    let off = scene.quay.add("northwind/a", Some("Quayside"), URL);
    scene.quay.fail("northwind/a", &off, 3);
    let others = scene.quay.add("northwind/a", Some("theirs"), OTHER);
    scene.quay.fail("northwind/a", &others, 3);
    scene.quay.add("northwind/b", Some("Quayside"), URL);
    let test = scene.run("test northwind/a");
    assert_eq!((test.code, scene.quay.count("test")), (Some(1), 0), "{}", test.out);
    assert!(test.out.contains("quayside quay heal"), "{}", test.out);
    let expected =
        told(&[("northwind/a", "healed", 1), ("northwind/b", "healthy", 0), ("northwind/c", "nothing_of_ours", 0)]);
    assert_eq!(scene.outcomes("heal northwind/* --dry-run"), expected);
    assert_eq!(scene.quay.count("reset"), 0);
    assert_eq!(scene.outcomes("heal northwind/*"), expected);
    assert_eq!(scene.quay.count("reset"), 1);
    let failures: Vec<_> = scene.quay.hooks("northwind/a").into_iter().map(|hook| hook.number_of_failures).collect();
    assert_eq!(failures.iter().filter(|failures| **failures == 3).count(), 1, "theirs is untouched");
    assert_eq!(scene.run("test northwind/a").code, Some(0));
    assert_eq!(scene.quay.count("test"), 1);
    let by_url = "heal northwind/a --any-title --url";
    assert_eq!(scene.run(&format!("{by_url} {OTHER}")).code, Some(0));
    assert_eq!(scene.quay.count("reset"), 2, "also what was registered by hand, if the URL is given");
}

#[test]
fn remove_takes_what_is_ours_and_of_the_url() {
    let scene = Scene::new(&["northwind/a"]);
    for (title, url) in [(Some("Quayside"), URL), (Some("Quayside"), OTHER), (Some("theirs"), URL), (None, OTHER)] {
        scene.quay.add("northwind/a", title, url);
    }
    let remove = "remove --url-file url northwind/a";
    assert_eq!(scene.outcomes(remove), told(&[("northwind/a", "removed", 1)]));
    assert_eq!(scene.outcomes(remove), told(&[("northwind/a", "nothing_of_ours", 0)]));
    let left: Vec<_> = scene.quay.hooks("northwind/a").into_iter().map(|hook| (hook.title, hook.url)).collect();
    assert_eq!(left.len(), 3);
    assert!(!left.contains(&(Some("Quayside".to_owned()), URL.to_owned())));
}

#[test]
fn what_the_token_may_do_and_what_is_wrong_is_said_for_each_repository() {
    let scene = Scene::new(&["northwind/a", "northwind/written", "northwind/hidden"]);
    scene.quay.right("northwind/written", Right::Write);
    scene.quay.right("northwind/hidden", Right::Nothing);
    let all = "northwind/a northwind/gone northwind/hidden northwind/written";
    let expected = told(&[
        ("northwind/a", "registered", 1),
        ("northwind/gone", "RepositoryGone", 0),
        ("northwind/hidden", "Forbidden", 0),
        ("northwind/written", "NotAdmin", 0),
    ]);
    assert_eq!(scene.outcomes(&format!("register --url-file url {all}")), expected);
    let ran = scene.run(&format!("register --url-file url {all}"));
    assert_eq!(ran.code, Some(1));
    for text in ["the token is admin of 1 of 4 repositories", "NotAdmin: northwind/written: ", "repo:admin"] {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
    }
    scene.quay.read_only(true);
    scene.quay.repository("northwind/new");
    let expected = told(&[("northwind/new", "ReadOnly", 0)]);
    assert_eq!(scene.outcomes("register --url-file url northwind/new"), expected);
}

#[test]
fn a_token_that_is_not_accepted_ends_it_at_once() {
    let scene = Scene::new(&["northwind/a", "northwind/b"]);
    scene.quay.revoke(&scene.token);
    for line in ["list northwind/a northwind/b", "heal --organization northwind", "list southwind/*"] {
        let ran = scene.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.out);
        assert!(ran.err.contains("does not accept the token"), "{line}: {}", ran.err);
    }
    scene.quay.reachable(false);
    let ran = scene.run("list northwind/a");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("cannot be reached"), "{}", ran.err);
}

#[test]
fn inputs_that_cannot_be_used_are_refused_before_anything_is_called() {
    let scene = Scene::new(&["northwind/a"]);
    for (line, says) in [
        ("list", "give repositories"),
        ("list northwind", "NAMESPACE/NAME"),
        ("list northwind/a --token-file /nonexistent", "failed to read"),
        ("list northwind/a --ca-file token", "CA bundle"),
        ("list northwind/a --endpoint quay.io", "the endpoint must be"),
        ("register northwind/a", "--url-file"),
        ("register northwind/a --url ftp://h/x", "the webhook's URL"),
        ("register northwind/a --url-file url --event vulnerability_found", "possible values"),
        ("remove northwind/a --any-title", "--any-title needs the URL"),
        ("list northwind/a --token x", "unexpected argument"),
    ] {
        let ran = scene.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.out);
        assert!(ran.err.contains(says), "{line}: {}", ran.err);
    }
    assert_eq!(scene.quay.calls().len(), 0);
    let blocked = scene.run("register northwind/a --url https://127.0.0.1/x");
    assert_eq!(blocked.code, Some(1));
    assert!(blocked.out.contains("UrlRefused"), "{}", blocked.out);
}

#[test]
fn pages_of_repositories_end_even_if_the_host_goes_round_in_circles() {
    let scene = Scene::new(&[]);
    for number in 0..7 {
        scene.quay.repository(&format!("northwind/app-{number}"));
    }
    scene.quay.page_size(3);
    assert_eq!(scene.outcomes("list --organization northwind").len(), 7);
    assert_eq!(scene.quay.count("repositories"), 3);
    // The same namespace twice, and one of its repositories by name: each is looked at once.
    let before = scene.quay.count("inspect");
    assert_eq!(scene.outcomes("list --organization northwind northwind/* northwind/app-1").len(), 7);
    assert_eq!(scene.quay.count("inspect") - before, 7);
}
