//! A TCP proxy in front of the API server, which can be cut, and which can hold everything back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

pub(crate) struct Proxy {
    shared: Arc<Shared>,
    kubeconfig: PathBuf,
}

struct Shared {
    target: SocketAddr,
    mode: Mutex<Mode>,
    changed: Condvar,
    /// Both ends of every connection, to be shut when the line is cut.
    streams: Mutex<Vec<TcpStream>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    Cut,
    Held,
}

impl Proxy {
    /// A proxy to the API server of a kubeconfig.
    pub(crate) fn to_server_of(kubeconfig: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        let server = text.lines().find_map(|line| line.trim().strip_prefix("server: https://")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let through = kubeconfig.with_extension(format!("through-{}", here.port()));
        std::fs::write(&through, text.replace(server, &here.to_string())).unwrap();
        let shared = Arc::new(Shared {
            target: server.parse().unwrap(),
            mode: Mutex::new(Mode::Open),
            changed: Condvar::new(),
            streams: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| accepting.connect(stream)));
        Self { shared, kubeconfig: through }
    }

    /// The kubeconfig whose connections come this way.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// Ends every connection and lets no new one through.
    pub(crate) fn cut(&self) {
        self.shared.set(Mode::Cut);
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            // It may have ended by itself.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Keeps what is sent either way until it is opened.
    pub(crate) fn hold(&self) {
        self.shared.set(Mode::Held);
    }

    pub(crate) fn open(&self) {
        self.shared.set(Mode::Open);
    }
}

impl Shared {
    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
        self.changed.notify_all();
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        if *self.mode.lock().unwrap() == Mode::Cut {
            return;
        }
        let Ok(server) = TcpStream::connect(self.target) else {
            return;
        };
        let copy = |stream: &TcpStream| stream.try_clone().unwrap();
        self.streams.lock().unwrap().extend([copy(&client), copy(&server)]);
        for (from, to) in [(copy(&client), copy(&server)), (server, client)] {
            drop((from.set_nodelay(true), to.set_nodelay(true)));
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pump(from, to));
        }
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let mode = self.mode.lock().unwrap();
            drop(self.changed.wait_while(mode, |mode| *mode == Mode::Held).unwrap());
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
    }
}
