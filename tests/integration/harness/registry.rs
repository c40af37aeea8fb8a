//! The real CNCF Distribution, which can be away for a while.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::json;
use tempfile::TempDir;

use super::kargo::Tagged;
use super::{Ran, SOON, exchange, file, wait_until};

/// Where `registry` and `crane` are; the first time they are built.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let printed = Ran::of(&mut Command::new(file("tests/registry/tools.sh")), "").success();
        PathBuf::from(printed.trim_end())
    })
}

/// A registry with a folder of its own, in which crane runs.
pub(crate) struct Registry {
    child: Mutex<Option<Child>>,
    dir: TempDir,
    /// What it notifies.
    endpoint: String,
    pub(crate) address: SocketAddr,
}

impl Registry {
    /// Starts one that notifies this endpoint.
    pub(crate) async fn start(endpoint: &str) -> Self {
        let (child, dir) = (Mutex::default(), TempDir::new().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut registry = Self { child, dir, endpoint: endpoint.to_owned(), address };
        registry.resume().await;
        registry.address = registry.listens().await;
        registry
    }

    /// It is gone from one moment to the next.
    pub(crate) fn stop(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            drop((child.kill(), child.wait()));
        }
    }

    /// It is there again, under the same address and with what was pushed to it.
    pub(crate) async fn resume(&self) {
        let config = json!({
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": self.path("data")}, "delete": {"enabled": true}},
            "http": {"addr": self.address.to_string(), "secret": "of no use with one replica"},
            "notifications": {"endpoints": [
                {"name": "quayside", "url": self.endpoint, "timeout": "1s", "threshold": 10, "backoff": "1s"},
            ]},
        });
        std::fs::write(self.path("config.yml"), config.to_string()).unwrap();
        let child = Command::new(tools().join("registry"))
            .arg("serve")
            .arg(self.path("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(File::create(self.path("log")).unwrap())
            .spawn()
            .unwrap();
        *self.child.lock().unwrap() = Some(child);
        self.listens().await;
    }

    async fn listens(&self) -> SocketAddr {
        wait_until("the registry listens", SOON, async || {
            let log = std::fs::read_to_string(self.path("log")).unwrap();
            let (_, address) = log.split_once("listening on ")?;
            address.split_once(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ':'))?.0.parse().ok()
        })
        .await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Runs crane there; `REGISTRY` is the host.
    pub(crate) fn crane(&self, line: &str) {
        let line = line.replace("REGISTRY", &self.host());
        let mut command = Command::new(tools().join("crane"));
        command.args(line.split(' ')).current_dir(self.dir.path());
        Ran::of(&mut command, "").success();
    }

    /// Writes `layer.tar`, of which images are made.
    pub(crate) fn layer(&self, content: &str) {
        std::fs::write(self.path("hello.txt"), content).unwrap();
        let mut tar = Command::new("tar");
        Ran::of(tar.args(["-cf", "layer.tar", "hello.txt"]).current_dir(self.dir.path()), "").success();
    }

    /// Pushes an image that holds this text.
    pub(crate) fn push(&self, repository: &str, tag: &str, content: &str) {
        self.layer(content);
        self.crane(&format!("append --oci-empty-base -f layer.tar -t REGISTRY/{repository}:{tag}"));
    }
}

/// The tags of a repository as the registry at this address lists them, each with its digest.
pub(crate) fn tags_at(address: SocketAddr, repository: &str) -> Result<Vec<Tagged>, String> {
    let (_, path) = repository.split_once('/').unwrap();
    let get = |path: String| {
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let answer =
            exchange(address, &format!("GET /v2/{path}"), &[accept], b"").map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(answer) } else { Err(format!("GET /v2/{path}: {}", answer.status)) }
    };
    let list = get(format!("{path}/tags/list"))?.json();
    let tags = list["tags"].as_array().cloned().unwrap_or_default();
    let with_digest = |tag: &serde_json::Value| {
        let tag = tag.as_str().unwrap().to_owned();
        let digest = get(format!("{path}/manifests/{tag}"))?.header("docker-content-digest").unwrap().to_owned();
        Ok(Tagged { tag, digest })
    };
    tags.iter().map(with_digest).collect()
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}
