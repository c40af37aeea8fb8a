//! The configurations of `examples/proxies`, run by a real nginx and a real HAProxy in front of two operators.
//!
//! Where a proxy is not installed its tests say so and pass, see [`installed`].

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{
    Authority, ControlPlane, Fault, FaultProxy, Hook, Operator, Pair, Project, SOON, Setup, Volume, chunked, content,
    exchange, exchange_on, free_address, head, image, installed, push_body, quay_receiver, wait_until,
};

const REPOSITORY: &str = "quay.io/proxies/app";
/// The largest body that Quayside takes.
const LARGEST: usize = 2 * 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nginx,
    Haproxy,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Nginx => "examples/proxies/nginx.conf",
            Self::Haproxy => "examples/proxies/haproxy.cfg",
        }
    }

    /// What asks senders for certificates, and lets the proxy come from an address of its own.
    const fn asking(self) -> [(&'static str, &'static str); 2] {
        match self {
            Self::Nginx => [
                ("# ssl_verify_client", "ssl_verify_client"),
                ("proxy_http_version 1.1;", "proxy_http_version 1.1; proxy_bind 127.0.0.2;"),
            ],
            Self::Haproxy => {
                [("# verify optional", "verify optional"), ("http-reuse safe", "http-reuse safe\n  source 127.0.0.2")]
            }
        }
    }

    /// What strips the prefix, if one wants that: a text of the example, and what takes its place.
    const fn stripping(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("proxy_pass http://quayside;", "proxy_pass http://quayside/;"),
            Self::Haproxy => (
                "  default_backend quayside\n",
                "  http-request replace-path /hooks/(.*) /\\1\n  default_backend quayside\n",
            ),
        }
    }
}

/// A proxy that serves as long as this lives.
struct Front {
    child: Child,
    dir: TempDir,
    address: SocketAddr,
}

/// Replaces a text that must be there.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the example");
    text.replace(from, to)
}

impl Front {
    /// The example, with what a user replaces replaced. `clients` are the authorities of client certificates.
    async fn start(
        kind: Kind,
        program: &Path,
        pair: &Pair,
        clients: &str,
        operators: [SocketAddr; 2],
        edits: &[(&str, &str)],
    ) -> Self {
        let (dir, address) = (TempDir::new().unwrap(), free_address());
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("tls.crt"), &pair.certificate).unwrap();
        fs::write(path("tls.key"), &pair.key).unwrap();
        fs::write(path("hooks.pem"), format!("{}{}", pair.certificate, pair.key)).unwrap();
        fs::write(path("clients.pem"), clients).unwrap();
        let mut text = content(kind.example());
        for (from, to) in edits {
            text = replace(&text, from, to);
        }
        text = replace(&text, "0.0.0.0:443", &address.to_string());
        text = replace(&text, "127.0.0.1:8080", &operators[0].to_string());
        text = replace(&text, "127.0.0.1:8081", &operators[1].to_string());
        let mut command = Command::new(program);
        match kind {
            Kind::Nginx => {
                text = replace(&text, "/etc/nginx/tls/", &path(""));
                text = replace(&text, "/var/log/nginx/quayside.log", &path("access.log"));
                text = replace(&text, "/var/log/nginx/error.log", &path("error.log"));
                // The folders of Debian's package belong to another user.
                let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("  {name}_temp_path {};\n", path(name)))
                    .concat();
                text = replace(&text, "http {\n", &format!("http {{\n{folders}"));
                let here = format!("daemon off; pid {}; user root;", path("pid"));
                command.args(["-e", &path("error.log"), "-c", &path("config"), "-g", &here]);
            }
            Kind::Haproxy => {
                text = replace(&text, "/etc/haproxy/tls/", &path(""));
                command.args(["-db", "-f", &path("config")]);
            }
        }
        fs::write(path("config"), text).unwrap();
        let output = File::create(path("output")).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap();
        let mut front = Self { child, dir, address };
        wait_until("the proxy listens", SOON, async || {
            let ended = front.child.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended with {ended:?}: {}", kind.name(), front.said());
            std::net::TcpStream::connect(address).ok().map(drop)
        })
        .await;
        front
    }

    /// Everything that it has logged.
    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        ["output", "access.log", "error.log"].map(read).concat()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // A master that is killed leaves its workers.
        drop(Command::new("kill").arg(self.child.id().to_string()).status());
        drop(self.child.wait());
    }
}

/// Two operators, a proxy in front of them, and a receiver as it is reached through it.
struct World {
    front: Front,
    operators: [Operator; 2],
    project: Project,
    hook: Hook,
}

impl World {
    async fn of(kind: Kind, edits: &[(&str, &str)]) -> Option<Self> {
        let program = installed(kind.name())?;
        let operators =
            [(); 2].map(|()| Operator::start(Setup::on(ControlPlane::shared()).with(["--drain-delay", "1s"])));
        for operator in &operators {
            operator.ready().await;
        }
        let project = Project::new(kind.name()).await;
        let direct = project.quay(&operators[0]).await;
        project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
        project.settle(&direct).await;
        let authority = Authority::new();
        let addresses = [operators[0].hooks, operators[1].hooks];
        let front = Front::start(kind, &program, &authority.issue(), &authority.pem(), addresses, edits).await;
        let mut hook = direct.with_tls(&authority.client(None));
        hook.address = front.address;
        // The other operator is asked as well.
        let mut other = direct.clone();
        other.address = operators[1].hooks;
        other.served().await;
        project.settle(&other).await;
        Some(Self { front, operators, project, hook })
    }
}

/// Of that many bytes, the rest of them white space.
fn body_of(length: usize) -> Vec<u8> {
    let mut body = push_body(REPOSITORY, &["1.0.0"]).into_bytes();
    body.resize(length, b' ');
    body
}

async fn a_push_arrives(kind: Kind) {
    let Some(world) = World::of(kind, &[]).await else { return };
    let (hook, front) = (&world.hook, &world.front);
    let answer = hook.push(REPOSITORY, &["1.0.0"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
    assert_eq!(world.project.refreshed().await, ["storefront"]);
    let delivery = answer.header("x-quayside-delivery").unwrap().to_owned();

    // Bodies up to the limit, with their length or in chunks.
    assert_eq!(hook.post(body_of(LARGEST)).status, 200);
    match hook.try_post("", body_of(LARGEST + 1)) {
        Ok(answer) => assert_eq!(answer.status, 413),
        // It closes at once, so that the sender may find the connection reset before it has read the answer.
        Err(error) => assert!(kind == Kind::Haproxy, "{error}"),
    }
    let headers = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
    let post = format!("POST {}", hook.path);
    let answer = exchange_on(hook.connect().unwrap(), &post, &headers, &chunked(&body_of(200_000))).unwrap();
    assert_eq!(answer.status, 200);

    // Nothing that a redirect would end in is answered 2xx, and nothing redirects.
    for (request, status) in
        [(format!("GET {}", hook.path), 405), ("GET /".to_owned(), 404), (format!("POST {}/", hook.path), 404)]
    {
        assert_eq!(exchange_on(hook.connect().unwrap(), &request, &[], b"").unwrap().status, status, "{request}");
    }

    // One connection of a sender carries many pushes, and so do those behind it.
    let mut connection = hook.connect().unwrap();
    let body = push_body(REPOSITORY, &["1.0.0"]);
    let mut request = head(&post, &["Content-Type: application/json", &format!("Content-Length: {}", body.len())]);
    request = String::from_utf8(request).unwrap().replace("Connection: close\r\n", "").into_bytes();
    request.extend_from_slice(body.as_bytes());
    for _ in 0..50 {
        connection.send(&request).unwrap();
        assert_eq!(connection.next_answer().unwrap().status, 200);
    }
    let kept: f64 = world.operators.iter().map(|operator| operator.metric("quayside_connections")).sum();
    assert!((1.0..20.0).contains(&kept), "{kept} connections are kept behind the proxy");

    // The log of the proxy leads to the delivery, and never to the URL.
    wait_until("the proxy has logged the delivery", SOON, async || front.said().contains(&delivery).then_some(()))
        .await;
    let said = front.said();
    assert!(!said.contains(hook.digest()), "the URL is in the proxy's log: {said}");
}

async fn a_push_arrives_without_its_prefix(kind: Kind) {
    let Some(world) = World::of(kind, &[kind.stripping()]).await else { return };
    let answer = world.hook.push(REPOSITORY, &["1.0.0"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
    assert_eq!(world.project.refreshed().await, ["storefront"]);
}

/// A proxy that takes a reset for a broken replica would send nothing to either for a while.
async fn strangers_take_no_replica_away(kind: Kind) {
    let Some(world) = World::of(kind, &[]).await else { return };
    let unknown = world.hook.path.replace("/quay/", "/harbor/");
    for round in 0..5 {
        for (request, status) in [(format!("POST {unknown}"), 404), (format!("PUT {}", world.hook.path), 405)] {
            for _ in 0..4 {
                let body = body_of(LARGEST);
                let answer = exchange_on(world.hook.connect().unwrap(), &request, &[], &body).unwrap();
                assert_eq!(answer.status, status, "{request} in round {round}: {}", world.front.said());
            }
        }
        let answer = world.hook.push(REPOSITORY, &["1.0.0"]);
        assert_eq!(answer.status, 200, "round {round}: {}", world.front.said());
    }
}

/// Pushes without a pause while one of the two operators drains and ends.
async fn no_push_fails_while_a_replica_ends(kind: Kind) {
    const SENDERS: usize = 4;
    let Some(world) = World::of(kind, &[]).await else { return };
    let (stop, pushed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let send = || {
        let mut failures = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            match world.hook.try_post("", push_body(REPOSITORY, &["1.0.0"])) {
                Ok(answer) if answer.status == 200 => drop(pushed.fetch_add(1, Ordering::Relaxed)),
                other => failures.push(format!("{other:?}")),
            }
        }
        failures
    };
    let more = |count: usize| {
        let (enough, deadline) = (pushed.load(Ordering::Relaxed) + count, Instant::now() + SOON);
        while pushed.load(Ordering::Relaxed) < enough {
            assert!(Instant::now() < deadline, "the pushes do not go on");
            thread::sleep(Duration::from_millis(5));
        }
    };
    let failures = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(send)).collect();
        more(100);
        world.operators[0].signal("-TERM");
        more(100);
        let ended =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(world.operators[0].ended()));
        assert!(ended.success(), "the drain ended with {ended}");
        more(100);
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
    });
    println!("{}: {} pushes while a replica ended, {} failed", kind.name(), pushed.into_inner(), failures.len());
    assert!(failures.is_empty(), "{failures:?}: {}", world.front.said());
}

/// Two installations that share a cluster below one base URL: a URL does not tell whose it is.
#[tokio::test]
async fn nginx_finds_the_installation_that_serves_a_url() {
    let kind = Kind::Nginx;
    let Some(program) = installed(kind.name()) else { return };
    let (one, two) = (Project::new("installation-one").await, Project::new("installation-two").await);
    let part = |flag: &str| {
        let setup = Setup::on(ControlPlane::shared()).with(["--cluster-receivers", "off", flag, &one.namespace]);
        Operator::start(setup)
    };
    let operators = [part("--namespaces"), part("--excluded-namespaces")];
    let mut hooks = Vec::new();
    for (project, operator) in [&one, &two].into_iter().zip(&operators) {
        operator.ready().await;
        let hook = project.quay(operator).await;
        project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
        project.settle(&hook).await;
        hooks.push(hook);
    }
    let authority = Authority::new();
    let addresses = operators.each_ref().map(|operator| operator.hooks);
    let next = [("error timeout non_idempotent;", "error timeout http_404 http_503 non_idempotent;")];
    let front = Front::start(kind, &program, &authority.issue(), &authority.pem(), addresses, &next).await;
    for hook in hooks {
        let mut hook = hook.with_tls(&authority.client(None));
        hook.address = front.address;
        // Whichever of the two nginx asks first.
        for length in [0, 200_000, 0, LARGEST, 0] {
            let answer = hook.post(body_of(length.max(1_000)));
            assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"), "{}", front.said());
        }
        hook.path.replace_range(hook.path.len() - 4.., "0000");
        assert_eq!(hook.post(body_of(1_000)).status, 404);
    }
    assert_eq!((one.refreshed().await.len(), two.refreshed().await.len()), (1, 1));
}

/// The receiver demands a certificate of Quay's authority. TLS ends at the proxy, which comes from 127.0.0.2.
async fn a_client_certificate_is_passed_on(kind: Kind) {
    let Some(program) = installed(kind.name()) else { return };
    let (authority, quays) = (Authority::new(), Authority::new());
    let volume = Volume::new(&[("ca.crt", &quays.pem())]);
    let ca = volume.path("ca.crt");
    let operator = Operator::start(Setup::on(ControlPlane::shared()).with([
        "--client-cert-header",
        "X-SSL-Client-Cert",
        "--trusted-proxies",
        "127.0.0.2",
        "--tls-client-ca",
        ca.to_str().unwrap(),
    ]));
    operator.ready().await;
    let project = Project::new(&format!("{}-certificate", kind.name())).await;
    let (secret, repository) = ("the secret of the URL", format!("quay.io/{}/certificate", project.namespace));
    project.secret("s", secret).await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    let direct = project.hook(&operator, "quay", secret);
    direct.served().await;
    project.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    project.settle(&direct).await;
    project.secret_of("s", &[("secret", secret), ("client-certificate", "required")]).await;
    wait_until("the certificate is demanded", SOON, async || (direct.probe()? == 401).then_some(())).await;

    let addresses = [operator.hooks; 2];
    let front = Front::start(kind, &program, &authority.issue(), &quays.pem(), addresses, &kind.asking()).await;
    let quay = quays.issue();
    let base64: String = quay.certificate.lines().filter(|line| !line.starts_with("-----")).collect();
    let forged = format!("X-SSL-Client-Cert: {base64}");
    let push = |own: Option<&Pair>, headers: &[&str]| {
        let mut hook = direct.with_tls(&authority.client(own));
        hook.address = front.address;
        let (request, body) = (format!("POST {}", hook.path), push_body(&repository, &["1.0.0"]));
        exchange_on(hook.connect().unwrap(), &request, headers, body.as_bytes()).unwrap()
    };
    let json = "Content-Type: application/json";
    assert_eq!(push(None, &[json]).status, 401);
    let stranger = Authority::new().issue();
    assert_eq!(push(Some(&stranger), &[json]).status, 401, "a stranger's authority");
    assert_eq!(push(Some(&Pair::self_signed()), &[json]).status, 401);
    // The proxy takes out what the sender itself has written.
    assert_eq!(push(None, &[json, &forged]).status, 401);
    assert_eq!(push(Some(&stranger), &[json, &forged]).status, 401);
    assert_eq!(push(Some(&stranger), &[json, &forged, &forged]).status, 401);
    assert!(project.refreshed().await.is_empty());

    // Nobody but the proxy is believed.
    let body = push_body(&repository, &["1.0.0"]);
    let post = format!("POST {}", direct.path);
    let answer = exchange_on(direct.connect().unwrap(), &post, &[json, &forged], body.as_bytes()).unwrap();
    assert_eq!(answer.status, 401);
    let passed_on = |outcome: &str| operator.metric(&format!(r#"quayside_tls_passed_on_total{{outcome="{outcome}""#));
    assert_eq!((passed_on("untrusted"), passed_on("verified"), passed_on("malformed")), (1.0, 0.0, 0.0));
    assert_eq!(operator.logged("WARN", "a client certificate was passed on from an address").len(), 1);

    let answer = push(Some(&quay), &[json]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"), "{}", front.said());
    assert_eq!(push(Some(&quay), &[json, &forged]).status, 200);
    assert_eq!(project.refreshed().await, ["storefront"]);
    assert_eq!((passed_on("verified"), passed_on("unverified"), passed_on("anonymous")), (2.0, 4.0, 2.0));
    assert!(!operator.log().contains(&base64[..40]), "the header is in the log");
}

#[tokio::test]
async fn a_client_certificate_is_passed_on_by_nginx() {
    a_client_certificate_is_passed_on(Kind::Nginx).await;
}

#[tokio::test]
async fn a_client_certificate_is_passed_on_by_haproxy() {
    a_client_certificate_is_passed_on(Kind::Haproxy).await;
}

/// What arrives before the receivers are known is kept, and judged by the certificate that the proxy passed on with it.
#[tokio::test]
async fn a_request_that_is_kept_is_judged_by_the_certificate_that_was_passed_on() {
    let plane = ControlPlane::shared();
    let quays = Authority::new();
    let volume = Volume::new(&[("ca.crt", &quays.pem())]);
    let (project, secret) = (Project::new("certificate-kept").await, "the secret of the URL");
    project.secret_of("s", &[("secret", secret), ("client-certificate", "required")]).await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;

    let (faults, spool) = (FaultProxy::to_server_of(plane.operator_kubeconfig()), TempDir::new().unwrap());
    faults.set(Fault::Reset);
    let setup = Setup::on(plane).kubeconfig(faults.kubeconfig()).spool(spool.path()).with([
        "--client-cert-header",
        "X-SSL-Client-Cert",
        "--trusted-proxies",
        "127.0.0.1",
        "--tls-client-ca",
        volume.path("ca.crt").to_str().unwrap(),
    ]);
    let operator = Operator::start(setup);
    wait_until("the port is open", SOON, async || exchange(operator.hooks, "GET /healthz", &[], b"").ok()).await;
    let hook = project.hook(&operator, "quay", secret);
    let passed_on = |pair: &Pair| {
        let base64: String = pair.certificate.lines().filter(|line| !line.starts_with("-----")).collect();
        format!("X-SSL-Client-Cert: {base64}")
    };
    let unreadable = "X-SSL-Client-Cert: SUCCESS".to_owned();
    for header in [passed_on(&quays.issue()), passed_on(&Authority::new().issue()), unreadable, "X-Other: 1".to_owned()]
    {
        let (post, body) = (format!("POST {}", hook.path), push_body(REPOSITORY, &["1.0.0"]));
        let headers = ["Content-Type: application/json", header.as_str()];
        let answer = exchange_on(hook.connect().unwrap(), &post, &headers, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 202);
    }
    faults.set(Fault::None);
    let runs = |labels: &str| operator.metric(&format!("quayside_intake_runs_total{labels}"));
    wait_until("everything is run", SOON * 2, async || (runs("") == 4.0).then_some(())).await;
    assert_eq!((runs(r#"{outcome="owed""#), runs(r#"{outcome="dropped""#)), (1.0, 3.0));
    wait_until("the Warehouse is refreshed", SOON, async || (!project.refreshed().await.is_empty()).then_some(()))
        .await;
}

#[tokio::test]
async fn a_header_without_proxies_that_are_trusted_ends_the_start_and_says_what_to_do() {
    for (arguments, expected) in [
        (["--client-cert-header", "X-SSL-Client-Cert"], "--client-cert-header is given without --trusted-proxies"),
        (["--trusted-proxies", "10.0.0.0/8"], "--trusted-proxies is given without --client-cert-header"),
    ] {
        let operator = Operator::start(Setup::on(ControlPlane::shared()).with(arguments));
        assert_eq!(operator.ended().await.code(), Some(2), "{arguments:?}");
        assert!(operator.log().contains(expected), "{arguments:?}: {}", operator.log());
    }
}

#[tokio::test]
async fn a_push_arrives_through_nginx() {
    a_push_arrives(Kind::Nginx).await;
    a_push_arrives_without_its_prefix(Kind::Nginx).await;
}

#[tokio::test]
async fn a_push_arrives_through_haproxy() {
    a_push_arrives(Kind::Haproxy).await;
    a_push_arrives_without_its_prefix(Kind::Haproxy).await;
}

#[tokio::test]
async fn strangers_take_no_replica_away_from_nginx() {
    strangers_take_no_replica_away(Kind::Nginx).await;
}

#[tokio::test]
async fn strangers_take_no_replica_away_from_haproxy() {
    strangers_take_no_replica_away(Kind::Haproxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_push_fails_behind_nginx_while_a_replica_ends() {
    no_push_fails_while_a_replica_ends(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_push_fails_behind_haproxy_while_a_replica_ends() {
    no_push_fails_while_a_replica_ends(Kind::Haproxy).await;
}

/// Quayside keeps an idle connection for 620 s. A proxy that keeps it for longer would now and then send a push into
/// the closing.
#[test]
fn the_examples_let_go_of_idle_connections_before_quayside_does() {
    for (kind, setting) in [(Kind::Nginx, "    keepalive_timeout "), (Kind::Haproxy, "pool-purge-delay ")] {
        let text = content(kind.example());
        let (_, rest) = text.split_once(setting).unwrap_or_else(|| panic!("{} lacks {setting:?}", kind.example()));
        let seconds: u64 = rest.split_once('s').unwrap().0.parse().unwrap();
        assert!(seconds < 620, "{}: {seconds} s", kind.example());
    }
    assert!(
        content("src/http/limits.rs").contains("Duration::from_secs(620)"),
        "the 620 s of these files and documents"
    );
}
