//! An HTTP/1.1 client that sends exactly the bytes it is given. Blocking: a test waits for its answer anyway.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};

/// Longer than the operator may take for anything.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and header lines.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let broken = || io::Error::new(ErrorKind::InvalidData, format!("not an answer: {text:?}"));
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        Ok(Self { status, head: head.to_owned(), body: body.to_owned() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The message of an answer, whether it is good or bad news.
    #[track_caller]
    pub(crate) fn says(&self) -> String {
        let body = self.json();
        body["msg"].as_str().or_else(|| body["error"].as_str()).unwrap_or_default().to_owned()
    }
}

/// An open connection.
pub(crate) struct Connection {
    stream: Stream,
    /// What has been read beyond the last answer.
    ahead: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: Stream::Plain(connect(address)?), ahead: Vec::new() })
    }

    /// With TLS. The handshake takes place with the first bytes that are sent.
    pub(crate) fn open_with(tls: &Arc<ClientConfig>, address: SocketAddr) -> io::Result<Self> {
        let session = ClientConnection::new(Arc::clone(tls), address.ip().into()).map_err(io::Error::other)?;
        let stream = Stream::Tls(Box::new(StreamOwned::new(session, connect(address)?)));
        Ok(Self { stream, ahead: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads until the other side closes.
    pub(crate) fn answer(mut self) -> io::Result<Answer> {
        let ended = loop {
            match self.read_ahead() {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        match ended {
            // A client that still had something to send is reset after the answer.
            Err(error) if self.ahead.is_empty() => Err(error),
            _ => Answer::parse(&self.ahead),
        }
    }

    fn read_ahead(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 4096];
        let length = self.stream.read(&mut bytes)?;
        self.ahead.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    /// Reads one answer of a known length, and leaves the connection open.
    pub(crate) fn next_answer(&mut self) -> io::Result<Answer> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) {
                let answer = Answer::parse(&self.ahead[..end])?;
                let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
                if self.ahead.len() >= end + length {
                    let bytes: Vec<u8> = self.ahead.drain(..end + length).collect();
                    return Answer::parse(&bytes);
                }
            }
            if self.read_ahead()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Shows the other side that nothing more will be sent.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.stream.socket().shutdown(Shutdown::Write)
    }

    /// Ends the connection in the middle of whatever it was sending.
    pub(crate) fn abort(self) {
        drop(self.stream.socket().shutdown(Shutdown::Both));
    }
}

/// Head of a request whose body follows; the connection ends with the answer.
pub(crate) fn head(request: &str, headers: &[&str]) -> Vec<u8> {
    let mut head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// One request, such as `POST /path`, on a connection of its own. Says its length unless a header says how it is
/// framed.
pub(crate) fn exchange(address: SocketAddr, request: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
    exchange_on(Connection::open(address)?, request, headers, body)
}

/// As [`exchange`], on a connection that is then used up.
pub(crate) fn exchange_on(
    mut connection: Connection,
    request: &str,
    headers: &[&str],
    body: &[u8],
) -> io::Result<Answer> {
    let framed =
        headers.iter().any(|header| header.starts_with("Transfer-Encoding") || header.starts_with("Content-Length"));
    let length = format!("Content-Length: {}", body.len());
    let mut headers = headers.to_vec();
    if !framed {
        headers.push(&length);
    }
    connection.send(&head(request, &headers))?;
    // A server that has heard enough may answer before the end and close.
    drop(connection.send(body));
    connection.answer()
}

/// One GET.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(address, &format!("GET {path}"), &[], b"").unwrap_or_else(|error| panic!("GET {path}: {error}"))
}

/// A body in the chunked encoding, without its length.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for chunk in body.chunks(64 * 1024) {
        encoded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        encoded.extend_from_slice(chunk);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded.extend_from_slice(b"0\r\n\r\n");
    encoded
}

/// What Quay sends when tags are pushed.
pub(crate) fn push_body(repository: &str, tags: &[&str]) -> String {
    let (_, path) = repository.split_once('/').unwrap();
    let (namespace, name) = path.split_once('/').unwrap_or((path, path));
    let homepage = format!("https://quay.example.com/repository/{path}");
    json!({
        "repository": path, "namespace": namespace, "name": name, "docker_url": repository, "homepage": homepage,
        "updated_tags": tags,
    })
    .to_string()
}
