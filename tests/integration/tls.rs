//! TLS on the webhook port, as senders and the kubelet meet it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde_json::json;

use crate::harness::{
    Authority, Connection, ControlPlane, Operator, Pair, Project, SOON, Setup, Volume, exchange, exchange_on, get,
    image, push_body, quay_receiver, quayside, wait_until,
};

/// An operator that looks at its files often.
fn operator(volume: &Volume, client: &Arc<ClientConfig>, more: &[&str]) -> Operator {
    let setup = Setup::on(ControlPlane::shared()).tls(&volume.path("tls.crt"), &volume.path("tls.key"), client);
    let setup = setup.with(["--tls-reload-interval", "50ms"]);
    Operator::start(more.iter().fold(setup, |setup, argument| setup.with([*argument])))
}

fn reloads(operator: &Operator, outcome: &str) -> f64 {
    operator.metric(&format!(r#"quayside_tls_reload_total{{outcome="{outcome}""#))
}

fn handshakes(operator: &Operator, outcome: &str) -> f64 {
    operator.metric(&format!(r#"quayside_tls_handshakes_total{{outcome="{outcome}""#))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_push_arrives_through_tls_and_the_admin_port_stays_plain() {
    let authority = Authority::new();
    let volume = Volume::of(&authority.issue());
    let operator = operator(&volume, &authority.client(None), &[]);
    operator.ready().await;
    let project = Project::new("tls").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/tls/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    let answer = hook.push("quay.io/tls/app", &["1.0.0"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
    assert_eq!(project.refreshed().await, ["storefront"]);

    let ca = Volume::new(&[("ca.crt", &authority.pem())]);
    let ca = ca.path("ca.crt");
    let send = |url: &str| {
        quayside(["send", "quay", url, "--cacert", text(&ca), "--repository", "quay.io/tls/app", "--tag", "1.0.1"])
    };
    let sent = send(&hook.url()).success();
    assert!(sent.starts_with("HTTP 200 OK\n") && sent.contains("refreshed 1 warehouse(s)"), "{sent}");
    let healthz = exchange_on(hook.connect().unwrap(), "GET /healthz", &[], b"").unwrap();
    assert_eq!(healthz.status, 200);
    assert_eq!(get(operator.admin, "/readyz").status, 200);

    assert!(exchange(operator.hooks, "GET /healthz", &[], b"").is_err(), "no plain HTTP where there is TLS");
    assert_eq!(send(&hook.url().replace("https", "http")).code, Some(2));
    wait_until("that is counted", SOON, async || (handshakes(&operator, "failed") >= 2.0).then_some(())).await;
    let year = Duration::from_secs(365 * 24 * 3600).as_secs_f64();
    assert!(operator.metric("quayside_tls_certificate_expiry_timestamp_seconds") > 40.0 * year);
}

#[tokio::test]
async fn certificates_are_swapped_under_load_without_one_failed_push() {
    const SWAPS: usize = 20;
    let authority = Authority::new();
    let (first, second) = (authority.issue(), authority.issue());
    let volume = Volume::of(&first);
    let operator = operator(&volume, &authority.client(None), &[]);
    operator.ready().await;
    let project = Project::new("tls-swap").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/tls/swap", "^1.0.0")])).await;
    project.settle(&hook).await;

    let (stop, pushed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failures = thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut failures = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        match hook.try_post("", push_body("quay.io/tls/swap", &["1.0.0"])) {
                            Ok(answer) if answer.status == 200 => drop(pushed.fetch_add(1, Ordering::Relaxed)),
                            other => failures.push(format!("{other:?}")),
                        }
                    }
                    failures
                })
            })
            .collect();
        for swap in 1..=SWAPS {
            volume.swap_pair(if swap % 2 == 1 { &second } else { &first });
            let deadline = Instant::now() + SOON;
            let enough = pushed.load(Ordering::Relaxed) + 20;
            while reloads(&operator, "loaded") < swap as f64 || pushed.load(Ordering::Relaxed) < enough {
                assert!(Instant::now() < deadline, "swap {swap} is not in force");
                thread::sleep(Duration::from_millis(5));
            }
        }
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    let pushed = pushed.load(Ordering::Relaxed);
    println!("{pushed} pushes, each on a connection of its own, during {SWAPS} swaps: {} failed", failures.len());
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(reloads(&operator, "failed"), 0.0);
}

#[tokio::test]
async fn a_bad_pair_keeps_the_last_good_one_and_says_so() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (first, second) = (authority.issue(), authority.issue());
    let volume = Volume::of(&first);
    let operator = operator(&volume, &authority.client(None), &[]);
    operator.ready().await;
    let project = Project::new("tls-bad").await;
    let hook = project.quay(&operator).await;
    assert_eq!((reloads(&operator, "failed"), reloads(&operator, "loaded")), (0.0, 0.0));

    volume.swap_pair(&Pair { certificate: second.certificate.clone(), key: first.key.clone() });
    wait_until("the bad pair is counted", SOON, async || (reloads(&operator, "failed") >= 1.0).then_some(())).await;
    assert_eq!(hook.push("quay.io/a/b", &["1.0.0"]).status, 200);
    let logged = operator.logged("ERROR", "the TLS files have changed and cannot be used");
    assert!(logged[0]["error"].as_str().unwrap().contains("are not a usable pair"), "{logged:?}");
    assert_eq!(logged.len(), 1, "once for each change");

    volume.swap_pair(&stranger.issue());
    wait_until("the good pair is counted", SOON, async || (reloads(&operator, "loaded") >= 1.0).then_some(())).await;
    assert!(
        hook.try_post("", push_body("quay.io/a/b", &["1.0.0"])).is_err(),
        "signed by an authority that we do not trust"
    );
    assert_eq!(hook.with_tls(&stranger.client(None)).push("quay.io/a/b", &["1.0.0"]).status, 200);
    assert_eq!(reloads(&operator, "failed"), 1.0);
}

#[tokio::test]
async fn clients_are_recognised_and_none_is_refused_where_no_certificate_is_demanded() {
    let (authority, quays) = (Authority::new(), Authority::new());
    let pinned = Pair::self_signed();
    let volume = Volume::of(&authority.issue());
    let ca = Volume::new(&[("ca.crt", &quays.pem())]);
    let more = ["--tls-client-ca", text(&ca.path("ca.crt")), "--tls-client-fingerprint", &pinned.fingerprint()]
        .map(str::to_owned);
    let operator = operator(&volume, &authority.client(None), &more.each_ref().map(String::as_str));
    operator.ready().await;
    let project = Project::new("tls-client").await;
    let hook = project.quay(&operator).await;
    let stranger = Authority::new();
    for (own, outcome) in [
        (None, "anonymous"),
        (Some(quays.issue()), "verified"),
        (Some(pinned), "verified"),
        (Some(stranger.issue()), "unverified"),
        (Some(Pair::self_signed()), "unverified"),
    ] {
        let before = handshakes(&operator, outcome);
        let hook = hook.with_tls(&authority.client(own.as_ref()));
        assert_eq!(hook.push("quay.io/a/b", &["1.0.0"]).status, 200, "{outcome}");
        assert_eq!(handshakes(&operator, outcome), before + 1.0, "{outcome}");
    }

    let quay = quays.issue();
    let files = Volume::new(&[("ca.crt", &authority.pem()), ("tls.crt", &quay.certificate), ("tls.key", &quay.key)]);
    let before = handshakes(&operator, "verified");
    let (cacert, cert, key) = (files.path("ca.crt"), files.path("tls.crt"), files.path("tls.key"));
    quayside(["send", "quay", &hook.url(), "--cacert", text(&cacert), "--cert", text(&cert), "--key", text(&key)])
        .success();
    assert_eq!(handshakes(&operator, "verified"), before + 1.0);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off_and_delays_nobody() {
    let authority = Authority::new();
    let volume = Volume::of(&authority.issue());
    let operator = operator(&volume, &authority.client(None), &[]);
    operator.ready().await;
    let project = Project::new("tls-slow").await;
    let hook = project.quay(&operator).await;
    let began = Instant::now();
    let silent = Connection::open(operator.hooks).unwrap();
    let mut slow = Connection::open(operator.hooks).unwrap();
    // The beginning of a greeting.
    slow.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").unwrap();
    assert_eq!(hook.push("quay.io/a/b", &["1.0.0"]).status, 200);
    assert!(began.elapsed() < Duration::from_secs(9), "the push waited for others");
    assert!(silent.answer().is_err() && slow.answer().is_err());
    let took = began.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(20)).contains(&took), "{took:?}");
    // A connection is counted when it has been closed.
    let counted = || operator.metric(r#"quayside_connections_closed_total{reason="slow_handshake""#) == 2.0;
    wait_until("both are counted", SOON, async || counted().then_some(())).await;
}

#[tokio::test]
async fn a_setup_of_tls_that_cannot_work_ends_at_once_and_says_what_to_do() {
    let (authority, other) = (Authority::new(), Authority::new().issue());
    let pair = authority.issue();
    let volume = Volume::new(&[("tls.crt", &pair.certificate), ("tls.key", &other.key)]);
    let (certificate, key) = (volume.path("tls.crt"), volume.path("tls.key"));
    for (arguments, expected) in [
        (["--tls-cert", text(&certificate), "--tls-key", text(&key)], "are not a usable pair"),
        (["--tls-cert", text(&certificate), "--tls-key", "/nonexistent"], "failed to read /nonexistent"),
        (["--tls-cert", text(&certificate), "--log-format", "json"], "give the file of the private key, too"),
        (["--tls-client-ca", text(&certificate), "--log-format", "json"], "give --tls-cert and --tls-key, too"),
    ] {
        let operator = Operator::start(Setup::on(ControlPlane::shared()).with(arguments));
        assert_eq!(operator.ended().await.code(), Some(2), "{arguments:?}");
        assert!(operator.log().contains(expected), "{arguments:?}: {}", operator.log());
    }
}

#[tokio::test]
async fn a_receiver_whose_secret_demands_a_client_certificate_admits_nobody_else() {
    let (authority, quays) = (Authority::new(), Authority::new());
    let volume = Volume::of(&authority.issue());
    let ca = Volume::new(&[("ca.crt", &quays.pem())]);
    let operator = operator(&volume, &authority.client(None), &["--tls-client-ca", text(&ca.path("ca.crt"))]);
    operator.ready().await;
    let project = Project::new("tls-demanded").await;
    project.secret("s", "the secret of the URL").await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    let hook = project.hook(&operator, "quay", "the secret of the URL");
    project.settle(&hook).await;
    let (quay, other) = (quays.issue(), quays.issue());
    let status = |own: Option<&Pair>| hook.with_tls(&authority.client(own)).push("quay.io/a/b", &["1.0.0"]).status;
    assert_eq!(status(None), 200);

    let demand = async |value: &str, refused: Option<&Pair>| {
        project.secret_of("s", &[("secret", "the secret of the URL"), ("client-certificate", value)]).await;
        wait_until("the certificate is demanded", SOON, async || (status(refused) == 401).then_some(())).await;
    };
    demand("required", None).await;
    assert_eq!(status(Some(&Authority::new().issue())), 401, "a stranger's authority");
    assert_eq!(status(Some(&quay)), 200);
    assert_eq!(status(Some(&other)), 200);

    demand(&quay.fingerprint(), Some(&other)).await;
    assert_eq!(status(None), 401);
    assert_eq!(status(Some(&quay)), 200);
}
