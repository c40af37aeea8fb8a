//! Base URLs that do not lead to Quayside.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::{Asked, Row};
use crate::harness::{Authority, ControlPlane, Operator, Pair, Setup, Volume};

/// Asks about a base URL.
async fn asked(row: Row, base: &str, environment: &str) {
    let (plane, operator) = (ControlPlane::shared(), Operator::shared().await);
    let (views, environment) = (Some(operator.views), environment.to_owned());
    row.is_told(Asked { plane, namespace: "kargo-demo", views, knows: true, base, environment }).await;
}

/// Something that answers every request alike.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            // What was asked does not matter.
            drop((stream.read(&mut request), stream.write_all(answer.as_bytes())));
        }
    });
    format!("http://{address}")
}

pub(super) async fn nothing_listens(row: Row) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    asked(row, &format!("http://{free}"), "").await;
}

pub(super) async fn redirects(row: Row) {
    let base = answering(
        "HTTP/1.1 308 Permanent Redirect\r\nlocation: https://hooks.example.com/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    asked(row, &base, "").await;
}

pub(super) async fn another_service(row: Row) {
    let base = answering("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nwelcome");
    asked(row, &base, "").await;
}

/// An operator with TLS of an authority, and the environment of those who trust that authority.
async fn with_tls(authority: &Authority) -> (Operator, Volume, String) {
    let plane = ControlPlane::shared();
    let volume = Volume::of(&authority.issue());
    let setup = Setup::on(plane).tls(&volume.path("tls.crt"), &volume.path("tls.key"), &authority.client(None));
    let operator = Operator::start(setup);
    operator.ready().await;
    let trusted = plane.dir().join(format!("trusted-{}.pem", operator.hooks.port()));
    std::fs::write(&trusted, authority.pem()).unwrap();
    let environment = format!("SSL_CERT_FILE={} ", trusted.display());
    (operator, volume, environment)
}

pub(super) async fn certificate_of_another_host(row: Row) {
    let (operator, _volume, environment) = with_tls(&Authority::new()).await;
    asked(row, &format!("https://localhost:{}", operator.hooks.port()), &environment).await;
}

pub(super) async fn certificate_of_a_stranger(row: Row) {
    let (operator, _volume, _) = with_tls(&Authority::new()).await;
    let trusted = ControlPlane::shared().dir().join("another-authority.pem");
    std::fs::write(&trusted, Pair::self_signed().certificate).unwrap();
    let environment = format!("SSL_CERT_FILE={} ", trusted.display());
    asked(row, &format!("https://127.0.0.1:{}", operator.hooks.port()), &environment).await;
}
