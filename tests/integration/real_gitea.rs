//! A real Gitea, with a repository and webhooks that are made through its API, real pushes with `git`, a merged pull
//! request, and its package registry.

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

use crate::harness::{Answer, ControlPlane, Hook, Operator, Project, Ran, exchange, file, git, image, wait_until};

/// Gitea delivers within seconds, and starts within a few on a machine that is busy with all the other tests.
const PATIENCE: Duration = Duration::from_secs(90);

const USER: &str = "northwind";
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
struct Gitea {
    child: Child,
    dir: TempDir,
    port: u16,
}

/// What the delivery log of a webhook says about one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Delivered {
    id: String,
    event: String,
    status: u16,
    /// The body of the answer.
    answer: String,
}

impl Gitea {
    async fn start() -> Self {
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
        let user = ["admin", "user", "create", "--admin", "--username", USER, "--password", PASSWORD];
        let user = [&user[..], &["--email", "mira@example.com", "--must-change-password=false"]].concat();
        Ran::of(&mut command(&user), "").success();
        let log = File::create(dir.path().join("log.txt")).unwrap();
        let child =
            command(&["web"]).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        let gitea = Self { child, dir, port };
        wait_until("Gitea serves", PATIENCE, async || {
            let address = ([127, 0, 0, 1], port).into();
            (exchange(address, "GET /api/v1/version", &[], b"").ok()?.status == 200).then_some(())
        })
        .await;
        gitea
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn call(&self, request: &str, header: &str, body: &[u8]) -> Answer {
        let headers = [header, "Content-Type: application/json"];
        exchange(([127, 0, 0, 1], self.port).into(), request, &headers, body).unwrap()
    }

    /// Calls the API.
    fn api(&self, request: &str, body: &Value) -> Answer {
        let authorization = format!("Authorization: Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let (method, path) = request.split_once(' ').unwrap();
        let answer = self.call(&format!("{method} /api/v1{path}"), &authorization, body.to_string().as_bytes());
        assert!(answer.status < 300, "{request}: {} {}", answer.status, answer.body);
        answer
    }

    /// Registers a webhook; `of` is `/user` or a repository.
    fn register(&self, of: &str, hook: &Hook, secret: &str, events: &[&str]) -> String {
        let config = json!({"url": hook.url(), "content_type": "json", "secret": secret});
        let registered = self.api(
            &format!("POST {of}/hooks"),
            &json!({"type": "gitea", "active": true, "events": events, "config": config}),
        );
        let id = registered.json()["id"].to_string();
        if of == "/user" {
            format!("/user/settings/hooks/{id}")
        } else {
            format!("/{USER}/storefront/settings/hooks/{id}")
        }
    }

    /// The last deliveries of a webhook that have an answer, as its page shows them.
    fn deliveries(&self, page: &str) -> Vec<Delivered> {
        let page = self.call(&format!("GET {page}"), &format!("X-WEBAUTH-USER: {USER}"), b"").body;
        let delivered = |part: &str| {
            let header = |name: &str| {
                let (_, rest) = part.split_once(&format!("<strong>{name}:</strong> "))?;
                Some(rest.lines().next()?.to_owned())
            };
            let (_, label) = part.split_once(" label\">")?;
            let status = label.split('<').next()?.parse().ok()?;
            let (_, answer) = part.rsplit_once("<pre class=\"webhook-info\">")?;
            let answer = answer.split('<').next()?.replace("&#34;", "\"");
            Some(Delivered { id: header("X-Gitea-Delivery")?, event: header("X-Gitea-Event")?, status, answer })
        };
        page.split("id=\"info-").skip(1).filter_map(delivered).collect()
    }

    /// Runs a line of shell in the clone.
    fn shell(&self, line: &str) {
        let (home, host, crane) = (self.dir.path().display(), self.host(), crane());
        let environment = format!(
            "export HOME={home} DOCKER_CONFIG={home}/docker GIT_TERMINAL_PROMPT=0 HOST={host} CRANE={crane}; cd {home}/clone",
            crane = crane.display()
        );
        let commit = r#"commit() { mkdir -p "$(dirname "$1")"; echo "$2" >>"$1"; git add -A; git commit -qm "$2"; }"#;
        ControlPlane::shared().bash(&format!("{environment}; {commit}; {line}")).success();
    }

    fn clone_repository(&self) {
        let (folder, docker) = (self.dir.path().join("clone"), self.dir.path().join("docker"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&docker).unwrap();
        let auth = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let config = json!({"auths": {self.host(): {"auth": auth}}});
        std::fs::write(docker.join("config.json"), config.to_string()).unwrap();
        let url = format!("http://{USER}:{PASSWORD}@{}/{USER}/storefront.git", self.host());
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

/// What the steps of the test look at.
struct Scene {
    gitea: Gitea,
    project: Project,
    /// The pages of the webhooks.
    pages: Vec<String>,
}

impl Scene {
    /// Does something; Gitea's log then has exactly these new deliveries, all answered with 200, and exactly these
    /// objects are refreshed.
    async fn step(&self, what: &str, act: impl FnOnce(), events: &[&str], refreshed: &[&str]) {
        let (log, before) = (self.log(), self.tokens().await);
        act();
        let fresh = wait_until(&format!("{what}: Gitea has delivered {events:?}"), PATIENCE, async || {
            let fresh: Vec<_> = self.log().into_iter().filter(|delivered| !log.contains(delivered)).collect();
            (fresh.len() >= events.len()).then_some(fresh)
        })
        .await;
        let mut names: Vec<_> = fresh.iter().map(|delivered| delivered.event.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, events, "{what}");
        assert!(fresh.iter().all(|delivered| delivered.status == 200), "{what}: {fresh:?}");
        let after = self.tokens().await;
        let changed: Vec<_> =
            after.iter().filter(|token| !before.contains(token)).map(|(name, _)| name.as_str()).collect();
        assert_eq!(changed, refreshed, "{what}: {fresh:?}");
    }

    fn log(&self) -> Vec<Delivered> {
        self.pages.iter().flat_map(|page| self.gitea.deliveries(page)).collect()
    }

    async fn tokens(&self) -> Vec<(String, String)> {
        let warehouses = self.project.tokens().await.into_iter();
        warehouses.chain(self.project.tokens_of("Promotion").await).collect()
    }
}

async fn scene() -> (Scene, Hook) {
    let operator = Operator::shared().await;
    let project = Project::new("real-gitea").await;
    let hook = project.receiver(operator, "gitea", "secret", json!({})).await;
    let gitea = Gitea::start().await;
    gitea.api("POST /user/repos", &json!({"name": "storefront", "auto_init": true, "default_branch": "main"}));
    let (host, repository) = (gitea.host(), format!("http://{}/{USER}/storefront.git", gitea.host()));
    let paths =
        |branch: &str, path: &str| json!([{"git": {"repoURL": repository, "branch": branch, "includePaths": [path]}}]);
    let tags =
        json!([{"git": {"repoURL": repository, "commitSelectionStrategy": "SemVer", "semverConstraint": "^1.0.0"}}]);
    for (name, subscriptions) in [
        ("charts", paths("main", "charts")),
        ("docs", paths("main", "docs")),
        ("main", json!([git(&repository, "main")])),
        ("other", json!([git(&format!("http://{host}/{USER}/other"), "main")])),
        ("release", json!([git(&repository, "release/1.9")])),
        ("release-charts", paths("release/1.9", "charts")),
        ("tags", tags),
        ("web", json!([image(&format!("{host}/{USER}/web"), "^1.0.0")])),
        ("web-next", json!([image(&format!("{host}/{USER}/web"), "^2.0.0")])),
        (
            "chart",
            json!([{"chart": {"repoURL": format!("oci://{host}/{USER}/harbour"), "semverConstraint": "^0.4.0"}}]),
        ),
    ] {
        project.warehouse(name, subscriptions).await;
    }
    project.promotion("waits", &format!("http://{host}/{USER}/storefront/pulls/1")).await;
    let at = |event| ["--event", event, "--repository"];
    let (image, pull) = (format!("http://{host}/{USER}/web"), format!("http://{host}/{USER}/storefront/pulls/1"));
    hook.would_refresh(1, &[&at("package")[..], &[&image, "--tag", "1.4.0"]].concat()).await;
    hook.would_refresh(
        1,
        &[&at("package")[..], &[&format!("http://{host}/{USER}/harbour"), "--tag", "0.4.0"]].concat(),
    )
    .await;
    hook.would_refresh(1, &[&at("pull_request")[..], &[&pull]].concat()).await;
    gitea.clone_repository();
    let secret = format!("a long enough secret of {}", project.namespace);
    let repository = format!("/repos/{USER}/storefront");
    let pages = vec![
        gitea.register(&repository, &hook, &secret, &["push", "create", "delete", "pull_request"]),
        gitea.register("/user", &hook, &secret, &["package"]),
    ];
    (Scene { gitea, project, pages }, hook)
}

#[tokio::test]
async fn everything_that_a_real_gitea_sends_refreshes_exactly_what_it_should() {
    let (scene, hook) = scene().await;
    let shell = |line: &'static str| || scene.gitea.shell(line);
    scene
        .step(
            "a push",
            shell("commit charts/api/values.yaml one; git push -q origin main"),
            &["push"],
            &["charts", "main"],
        )
        .await;
    scene.step("a tag", shell("git tag v1.4.0; git push -q origin v1.4.0"), &["create", "push"], &["tags"]).await;
    // Its only new commit changes a file outside of charts, but all of charts is new on the branch.
    let created = "git checkout -q -b release/1.9; commit README.md start; git push -q origin release/1.9";
    scene.step("a new branch", shell(created), &["create", "push"], &["release", "release-charts"]).await;
    // Gitea does not say that it was forced; the commit that it lists changes no chart.
    let forced = "git commit -q --amend -m again; git push -qf origin release/1.9";
    scene.step("a forced branch", shell(forced), &["push"], &["release"]).await;
    let back = "git reset -q --hard HEAD~1; git push -qf origin release/1.9";
    scene.step("a branch set back", shell(back), &["push"], &["release", "release-charts"]).await;
    let many = "git checkout -q main; commit charts/web/values.yaml first; \
                for i in 1 2 3 4 5 6; do commit docs/$i.md \"docs $i\"; done; git push -q origin main";
    scene.step("more commits than are listed", shell(many), &["push"], &["charts", "docs", "main"]).await;
    scene
        .step("few commits", shell("commit docs/7.md seven; git push -q origin main"), &["push"], &["docs", "main"])
        .await;
    scene.step("a deleted branch", shell("git push -q origin :release/1.9"), &["delete"], &[]).await;
    let feature = "git checkout -q -b feature; commit docs/8.md eight; git push -q origin feature";
    scene.step("a branch of nobody", shell(feature), &["create", "push"], &[]).await;

    let pulls = format!("POST /repos/{USER}/storefront/pulls");
    let open = || drop(scene.gitea.api(&pulls, &json!({"head": "feature", "base": "main", "title": "Feature"})));
    scene.step("an open pull request", open, &["pull_request"], &[]).await;
    let merge = || drop(scene.gitea.api(&format!("{pulls}/1/merge"), &json!({"Do": "merge"})));
    scene.step("a merged pull request", merge, &["pull_request", "push"], &["docs", "main", "waits"]).await;

    let image =
        "tar -cf ../layer.tar README.md; $CRANE append --oci-empty-base -f ../layer.tar -t $HOST/northwind/web:1.4.0";
    scene.step("an image", shell(image), &["package"], &["web"]).await;
    let chart = "mkdir -p ../chart; printf 'apiVersion: v2\\nname: harbour\\nversion: 0.4.0+build.7\\n' >../chart/Chart.yaml; \
                 helm package -d .. ../chart >/dev/null; \
                 helm push --plain-http --registry-config \"$DOCKER_CONFIG/config.json\" ../harbour-0.4.0+build.7.tgz \
                 oci://$HOST/northwind 2>/dev/null";
    // The manifest is announced by digest as well.
    scene.step("a chart", shell(chart), &["package", "package"], &["chart"]).await;

    let before = scene.tokens().await;
    let repository = format!("/repos/{USER}/storefront");
    let wrong = scene.gitea.register(&repository, &hook, "another secret", &["push"]);
    scene.gitea.api(&format!("DELETE {repository}/hooks/1"), &Value::Null);
    scene
        .gitea
        .shell("git checkout -q -B main origin/main; git pull -q; commit docs/9.md nine; git push -q origin main");
    let refused = wait_until("Gitea has delivered with the wrong secret", PATIENCE, async || {
        scene.gitea.deliveries(&wrong).pop()
    })
    .await;
    assert_eq!((refused.event.as_str(), refused.status), ("push", 401));
    assert_eq!(scene.tokens().await, before);
}
