//! Hosts whose API answers oddly, or is reached in a roundabout way: a private authority, a proxy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use quayside::domain::secret::Secret;
use quayside::hooks::quay::Quay;
use quayside::hooks::{Endpoint, Host, Network, Refusal};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::harness::{Authority, Pair, QuayStandIn, Ran};

const TOKEN: &str = "TOKENtokenTOKENtokenTOKENtokenTOKENtoken";

/// A server that answers each connection once, as it is told.
struct Odd {
    address: SocketAddr,
    /// The requests so far.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Odd {
    fn start(pair: Option<&Pair>, answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tls = pair.map(|pair| {
            let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
        });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                match &tls {
                    None => serve(stream, &noted, &answer),
                    Some(tls) => {
                        let session = ServerConnection::new(Arc::clone(tls)).unwrap();
                        serve(StreamOwned::new(session, stream), &noted, &answer);
                    }
                }
            }
        });
        Self { address, seen }
    }

    fn plain(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(None, answer)
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn client(&self) -> Quay {
        let endpoint = Endpoint::parse(&format!("http://{}", self.address)).unwrap();
        Quay::new(&Network::direct(), endpoint, &Secret::new(TOKEN.into()), None).unwrap()
    }
}

/// A client that does not like the server breaks off; that is its affair.
fn serve(mut stream: impl Read + Write, seen: &Mutex<Vec<String>>, answer: &dyn Fn(&[u8]) -> Vec<u8>) {
    let (mut request, mut bytes) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(length @ 1..) => request.extend_from_slice(&bytes[..length]),
            _ => return,
        }
    }
    seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    drop(stream.write_all(&answer(&request)).and_then(|()| stream.flush()));
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn odd_answers_are_bounded_and_named_without_what_they_hold() {
    let elsewhere = Odd::plain(|_| http("200 OK", "", "{}"));
    let location = format!("Location: http://{}/\r\n", elsewhere.address);
    let unreachable = |refusal: &Refusal| matches!(refusal, Refusal::Unreachable(_));
    let not_the_api = |refusal: &Refusal| *refusal == Refusal::NotTheApi { status: 200 };
    let redirected = |refusal: &Refusal| *refusal == Refusal::Redirected { status: 302 };
    type Case<'a> = (&'a str, Vec<u8>, &'a dyn Fn(&Refusal) -> bool);
    let cases: [Case<'_>; 10] = [
        ("too long", http("200 OK", "", &format!("{{\"x\":\"{}\"}}", "x".repeat(2 << 20))), &not_the_api),
        ("a page", http("200 OK", "Content-Type: text/html\r\n", &format!("<html>{TOKEN}</html>")), &not_the_api),
        ("something else", http("200 OK", "", "[7]"), &not_the_api),
        ("deep", http("200 OK", "", &"[".repeat(100_000)), &not_the_api),
        ("a redirect", http("302 Found", &location, ""), &redirected),
        ("nothing", Vec::new(), &unreachable),
        ("no HTTP", format!("SSH-2.0-{TOKEN}\r\n").into_bytes(), &unreachable),
        ("a long head", http("200 OK", &format!("X: {}\r\n", "x".repeat(200 << 10)), "{}"), &unreachable),
        ("half a body", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(), &unreachable),
        ("many heads", http("200 OK", &"X: y\r\n".repeat(2000), "{}"), &unreachable),
    ];
    for (what, answer, expected) in cases {
        let odd = Odd::plain(move |_| answer.clone());
        let (host, name) = (odd.client(), "northwind/web");
        let refusals = [
            host.inspect(name).await.unwrap_err(),
            host.list(name).await.unwrap_err(),
            host.repositories("northwind").await.unwrap_err(),
        ];
        for refusal in &refusals {
            assert!(expected(refusal), "{what}: {refusal:?}");
            let told = format!("{refusal} {refusal:?}");
            assert!(!told.contains(TOKEN) && told.len() < 1000, "{what}: {told}");
        }
        assert_eq!(odd.count(), 3, "{what}: no call is repeated");
    }
    assert_eq!(elsewhere.count(), 0, "the token goes nowhere else");
}

#[tokio::test]
async fn pages_that_lead_round_in_a_circle_end() {
    let page = r#"{"repositories":[{"namespace":"northwind","name":"web"}],"next_page":"again"}"#;
    let odd = Odd::plain(move |_| http("200 OK", "", page));
    assert_eq!(odd.client().repositories("northwind").await, Ok(vec!["northwind/web".to_owned()]));
    assert_eq!(odd.count(), 2);
}

#[tokio::test]
async fn a_request_says_who_asks_and_what_it_takes() {
    let odd = Odd::plain(|_| http("200 OK", "", r#"{"notifications":[]}"#));
    odd.client().list("northwind/web").await.unwrap();
    let seen = odd.seen.lock().unwrap()[0].clone();
    assert!(seen.starts_with("GET /api/v1/repository/northwind/web/notification/ HTTP/1.1\r\n"), "{seen}");
    let version = env!("CARGO_PKG_VERSION");
    for line in [
        format!("host: {}", odd.address),
        format!("authorization: Bearer {TOKEN}"),
        format!("user-agent: quayside/{version}"),
        "accept: application/json".to_owned(),
        "connection: close".to_owned(),
    ] {
        assert!(seen.lines().any(|found| found.eq_ignore_ascii_case(&line)), "{line}: {seen}");
    }
}

/// A Quay behind TLS, and how the command reaches it.
struct Secured {
    quay: QuayStandIn,
    front: Odd,
    dir: TempDir,
    token: String,
}

impl Secured {
    fn new(authority: &Authority) -> Self {
        let (quay, dir) = (QuayStandIn::start(), TempDir::new().unwrap());
        quay.repository("northwind/web");
        let (behind, token) = (quay.host(), quay.token());
        let front = Odd::start(Some(&authority.issue()), move |request| {
            let mut stream = TcpStream::connect(&behind).unwrap();
            let mut answer = Vec::new();
            stream.write_all(request).and_then(|()| stream.read_to_end(&mut answer).map(drop)).unwrap();
            answer
        });
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(dir.path().join("other.pem"), Authority::new().pem()).unwrap();
        Self { quay, front, dir, token }
    }

    fn list(&self, arguments: &[&str], proxy: Option<&str>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quayside"));
        let endpoint = format!("https://{}", self.front.address);
        command.args(["quay", "list", "northwind/web", "--endpoint", &endpoint]).args(arguments);
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            command.env_remove(variable);
        }
        command.env("QUAYSIDE_QUAY_TOKEN", &self.token).current_dir(self.dir.path());
        Ran::of(command.envs(proxy.map(|proxy| ("HTTPS_PROXY", proxy))), "")
    }
}

#[test]
fn a_private_authority_is_trusted_if_it_is_given_and_no_other() {
    let secured = Secured::new(&Authority::new());
    let ran = secured.list(&["--ca-file", "ca.pem"], None);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.err.contains("everybody on the way"), "{}", ran.err);
    let calls = secured.quay.calls().len();
    for arguments in [&[][..], &["--ca-file", "other.pem"]] {
        let ran = secured.list(arguments, None);
        assert_eq!(ran.code, Some(2), "{}", ran.out);
        assert!(ran.err.contains("certificate"), "{}", ran.err);
    }
    assert_eq!(secured.quay.calls().len(), calls);
}

#[test]
fn the_proxy_of_the_environment_is_used_and_its_refusal_named() {
    let secured = Secured::new(&Authority::new());
    let seen = Arc::new(Mutex::new(String::new()));
    let proxy = tunnel(secured.front.address, &seen);
    let ran = secured.list(&["--ca-file", "ca.pem"], Some(&format!("http://mira:pw@{proxy}")));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let request = seen.lock().unwrap().clone();
    assert!(request.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", secured.front.address)), "{request}");
    assert!(request.contains("Proxy-Authorization: Basic bWlyYTpwdw=="), "{request}");
    assert!(!request.contains(&secured.token), "the proxy sees no token");
    let refusing = Odd::plain(|_| http("407 Proxy Authentication Required", "", ""));
    let ran = secured.list(&["--ca-file", "ca.pem"], Some(&format!("http://{}", refusing.address)));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the proxy: ") && ran.err.contains("authorization required"), "{}", ran.err);
    let ran = secured.list(&["--ca-file", "ca.pem"], Some("socks5://127.0.0.1:1"));
    assert!(ran.err.contains("only proxies with http://"), "{}", ran.err);
}

/// A proxy that tunnels to one address, and notes what it was asked.
fn tunnel(target: SocketAddr, seen: &Arc<Mutex<String>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::clone(seen));
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            *seen.lock().unwrap() = String::from_utf8_lossy(&head).into_owned();
            let mut server = TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
            thread::spawn(move || drop(std::io::copy(&mut server, &mut client)));
        }
    });
    address
}
