//! The real CNCF Distribution, with a receiver as its notification endpoint, and real pushes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Hook, Operator, Project, Ran, SOON, file, image, wait_until};

/// A registry repeats a notification that was not answered in time after a pause.
const DELIVERED: Duration = Duration::from_secs(60);

/// Where `registry` and `crane` are; the first time they are built.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let printed = Ran::of(&mut Command::new(file("tests/registry/tools.sh")), "").success();
        PathBuf::from(printed.trim_end())
    })
}

/// A registry that serves as long as this lives.
struct Registry {
    child: Child,
    dir: TempDir,
    port: u16,
}

impl Registry {
    async fn start(endpoint: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let config = json!({
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": dir.path().join("data")}, "delete": {"enabled": true}},
            "http": {"addr": "127.0.0.1:0", "secret": "of no use with one replica"},
            "notifications": {"endpoints": [
                {"name": "quayside", "url": endpoint, "timeout": "1s", "threshold": 10, "backoff": "1s"},
            ]},
        });
        let (path, log) = (dir.path().join("config.yml"), dir.path().join("log"));
        std::fs::write(&path, config.to_string()).unwrap();
        let child = Command::new(tools().join("registry"))
            .arg("serve")
            .arg(path)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut registry = Self { child, dir, port: 0 };
        registry.port = wait_until("the registry listens", SOON, async || {
            let log = std::fs::read_to_string(&log).unwrap();
            let (_, address) = log.split_once("listening on 127.0.0.1:")?;
            address.split_once(|c: char| !c.is_ascii_digit())?.0.parse().ok()
        })
        .await;
        registry
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Runs crane there; `REGISTRY` is the host.
    fn crane(&self, line: &str) {
        let line = line.replace("REGISTRY", &self.host());
        let mut command = Command::new(tools().join("crane"));
        command.args(line.split(' ')).current_dir(self.dir.path());
        Ran::of(&mut command, "").success();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn refreshed_anew(project: &Project, name: &str, act: impl FnOnce()) {
    let before = project.tokens().await;
    act();
    wait_until(&format!("{name} is refreshed"), DELIVERED, async || {
        let token = project.tokens().await.remove(name)?;
        (before.get(name) != Some(&token)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn images_that_are_pushed_to_a_real_registry_refresh_their_warehouses() {
    let operator = Operator::shared().await;
    let project = Project::new("real-registry").await;
    let secret = format!("a long enough secret of {}", project.namespace);
    project.secret("webhook", &secret).await;
    project.apply("Receiver", "hook", json!({"distribution": {"secretRef": {"name": "webhook"}}})).await;
    let hook: Hook = project.hook(operator, "hook", &secret).of("distribution");
    hook.served().await;
    let registry = Registry::start(&hook.url()).await;

    let repository = format!("{}/northwind/storefront", registry.host());
    let signatures = json!({"image": {
        "repoURL": repository, "imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": ["^sha256-"],
    }});
    project.warehouse("storefront", json!([image(&repository, "^2.0.0")])).await;
    project.warehouse("storefront-next", json!([image(&repository, "^3.0.0")])).await;
    project.warehouse("signatures", json!([signatures])).await;
    for tag in ["2.7.1", "3.0.0"] {
        hook.would_refresh(1, &["--repository", &repository, "--tag", tag]).await;
    }

    std::fs::write(registry.dir.path().join("hello.txt"), "hello\n").unwrap();
    let mut tar = Command::new("tar");
    Ran::of(tar.args(["-cf", "layer.tar", "hello.txt"]).current_dir(registry.dir.path()), "").success();
    refreshed_anew(&project, "storefront", || {
        registry.crane("append --oci-empty-base -f layer.tar -t REGISTRY/northwind/storefront:2.7.1");
    })
    .await;
    assert_eq!(project.refreshed().await, ["storefront"]);

    // The platforms come by digest, the index by its tag.
    registry.crane("append -f layer.tar -t REGISTRY/northwind/platforms:amd64");
    let index = "index append -m REGISTRY/northwind/storefront:2.7.1 -m REGISTRY/northwind/platforms:amd64 \
                 -t REGISTRY/northwind/storefront:3.0.0";
    refreshed_anew(&project, "storefront-next", || registry.crane(index)).await;

    // Notifications come in order, and one that was refused would hold back all behind it.
    let signature = format!("tag REGISTRY/northwind/storefront:2.7.1 sha256-{}.sig", "a".repeat(64));
    registry.crane(&signature);
    registry.crane("pull REGISTRY/northwind/storefront:2.7.1 pulled.tar");
    registry.crane("delete REGISTRY/northwind/platforms:amd64");
    refreshed_anew(&project, "storefront", || {
        registry.crane("tag REGISTRY/northwind/storefront:2.7.1 2.7.2");
    })
    .await;
    assert_eq!(project.refreshed().await, ["storefront", "storefront-next"]);
}
