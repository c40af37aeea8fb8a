//! A real Gitea, with its API, its log of deliveries, and a clone of a repository.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, ControlPlane, Hook, Ran, exchange, file, wait_until};

/// Gitea delivers within seconds, and starts within a few on a machine that is busy with all the other tests.
pub(crate) const GITEA_PATIENCE: Duration = Duration::from_secs(90);

/// The one user, an administrator.
pub(crate) const GITEA_USER: &str = "northwind";
const PASSWORD: &str = "only-for-the-tests-47";

fn tool(script: &str, cell: &OnceLock<PathBuf>, program: &str) -> PathBuf {
    let folder = cell.get_or_init(|| {
        let printed = Ran::of(&mut Command::new(file(script)), "").success();
        PathBuf::from(printed.trim_end())
    });
    folder.join(program)
}

fn gitea(program: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    tool("tests/gitea/tools.sh", &FOLDER, program)
}

fn crane() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    tool("tests/registry/tools.sh", &FOLDER, "crane")
}

/// A Gitea that serves as long as this lives, with one user and a clone of one repository.
pub(crate) struct Gitea {
    child: Child,
    dir: TempDir,
    port: u16,
}

/// What the delivery log of a webhook says about one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GiteaDelivery {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) status: u16,
    /// The body of the answer.
    pub(crate) answer: String,
}

impl Gitea {
    pub(crate) async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (work, assets) = (dir.path().display(), gitea(""));
        let config = format!(
            "RUN_MODE = prod\nRUN_USER = {user}\nI_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\nWORK_PATH = {work}\n\
             [server]\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nROOT_URL = http://127.0.0.1:{port}/\n\
             STATIC_ROOT_PATH = {assets}\nPUBLIC_URL_DETECTION = never\nDISABLE_SSH = true\nOFFLINE_MODE = true\n\
             [database]\nDB_TYPE = sqlite3\nPATH = {work}/gitea.db\n\
             [security]\nINSTALL_LOCK = true\nSECRET_KEY = of-no-use-elsewhere\n\
             [service]\nENABLE_REVERSE_PROXY_AUTHENTICATION = true\n\
             [webhook]\nALLOWED_HOST_LIST = loopback\n[queue]\nTYPE = channel\n[cron]\nENABLED = false\n\
             [log]\nMODE = console\nLEVEL = Info\n",
            user = Ran::of(Command::new("id").arg("-un"), "").success().trim_end(),
            assets = assets.display(),
        );
        std::fs::write(dir.path().join("app.ini"), config).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(gitea("gitea"));
            command.args(["--config", "app.ini", "--work-path"]).arg(dir.path());
            command.args(arguments).current_dir(dir.path()).env("HOME", dir.path());
            command
        };
        Ran::of(&mut command(&["migrate"]), "").success();
        let user = ["admin", "user", "create", "--admin", "--username", GITEA_USER, "--password", PASSWORD];
        let user = [&user[..], &["--email", "mira@example.com", "--must-change-password=false"]].concat();
        Ran::of(&mut command(&user), "").success();
        let log = File::create(dir.path().join("log.txt")).unwrap();
        let child =
            command(&["web"]).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        let gitea = Self { child, dir, port };
        wait_until("Gitea serves", GITEA_PATIENCE, async || {
            let address = ([127, 0, 0, 1], port).into();
            (exchange(address, "GET /api/v1/version", &[], b"").ok()?.status == 200).then_some(())
        })
        .await;
        gitea
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn call(&self, request: &str, header: &str, body: &[u8]) -> Answer {
        let headers = [header, "Content-Type: application/json"];
        exchange(([127, 0, 0, 1], self.port).into(), request, &headers, body).unwrap()
    }

    /// Calls the API.
    pub(crate) fn api(&self, request: &str, body: &Value) -> Answer {
        let authorization =
            format!("Authorization: Basic {}", BASE64_STANDARD.encode(format!("{GITEA_USER}:{PASSWORD}")));
        let (method, path) = request.split_once(' ').unwrap();
        let answer = self.call(&format!("{method} /api/v1{path}"), &authorization, body.to_string().as_bytes());
        assert!(answer.status < 300, "{request}: {} {}", answer.status, answer.body);
        answer
    }

    /// An access token of a user with these scopes.
    pub(crate) fn token_of(&self, user: &str, scopes: &[&str]) -> String {
        let name = format!("for {}", scopes.join(" and "));
        let made = self.api(&format!("POST /users/{user}/tokens"), &json!({"name": name, "scopes": scopes}));
        made.json()["sha1"].as_str().unwrap().to_owned()
    }

    /// Registers a webhook; `of` is `/user` or a repository.
    pub(crate) fn register(&self, of: &str, hook: &Hook, secret: &str, events: &[&str]) -> String {
        let config = json!({"url": hook.url(), "content_type": "json", "secret": secret});
        let registered = self.api(
            &format!("POST {of}/hooks"),
            &json!({"type": "gitea", "active": true, "events": events, "config": config}),
        );
        let id = registered.json()["id"].to_string();
        if of == "/user" {
            format!("/user/settings/hooks/{id}")
        } else {
            format!("/{GITEA_USER}/storefront/settings/hooks/{id}")
        }
    }

    /// The last deliveries of a webhook that have an answer, as its page shows them.
    pub(crate) fn deliveries(&self, page: &str) -> Vec<GiteaDelivery> {
        let page = self.call(&format!("GET {page}"), &format!("X-WEBAUTH-USER: {GITEA_USER}"), b"").body;
        let delivered = |part: &str| {
            let header = |name: &str| {
                let (_, rest) = part.split_once(&format!("<strong>{name}:</strong> "))?;
                Some(rest.lines().next()?.to_owned())
            };
            let (_, label) = part.split_once(" label\">")?;
            let status = label.split('<').next()?.parse().ok()?;
            let (_, answer) = part.rsplit_once("<pre class=\"webhook-info\">")?;
            let answer = answer.split('<').next()?.replace("&#34;", "\"");
            Some(GiteaDelivery { id: header("X-Gitea-Delivery")?, event: header("X-Gitea-Event")?, status, answer })
        };
        page.split("id=\"info-").skip(1).filter_map(delivered).collect()
    }

    /// Runs a line of shell in the clone.
    pub(crate) fn shell(&self, line: &str) {
        let (home, host, crane) = (self.dir.path().display(), self.host(), crane());
        let environment = format!(
            "export HOME={home} DOCKER_CONFIG={home}/docker GIT_TERMINAL_PROMPT=0 HOST={host} CRANE={crane}; cd {home}/clone",
            crane = crane.display()
        );
        let commit = r#"commit() { mkdir -p "$(dirname "$1")"; echo "$2" >>"$1"; git add -A; git commit -qm "$2"; }"#;
        ControlPlane::shared().bash(&format!("{environment}; {commit}; {line}")).success();
    }

    pub(crate) fn clone_repository(&self) {
        let (folder, docker) = (self.dir.path().join("clone"), self.dir.path().join("docker"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&docker).unwrap();
        let auth = BASE64_STANDARD.encode(format!("{GITEA_USER}:{PASSWORD}"));
        let config = json!({"auths": {self.host(): {"auth": auth}}});
        std::fs::write(docker.join("config.json"), config.to_string()).unwrap();
        let url = format!("http://{GITEA_USER}:{PASSWORD}@{}/{GITEA_USER}/storefront.git", self.host());
        self.shell(&format!(
            "git clone -q {url} . && git config user.email mira@example.com && git config user.name Mira"
        ));
    }
}

impl Drop for Gitea {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
