//! Real control planes. `tests/controlplane/controlplane.sh` runs them for as long as this process holds its input
//! open.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tempfile::Builder;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};

use super::{Ran, bash, file};

/// Lets the API server write down every request of a ServiceAccount, without bodies.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [system:serviceaccounts]
- level: None
";

/// Runs the control plane and removes what it kept, also when a signal ended it.
const SUPERVISOR: &str = r#"trap : INT TERM HUP; "$1" run "$2"; rm -rf "$2""#;

pub(crate) struct ControlPlane {
    dir: PathBuf,
    tools: PathBuf,
    /// Where its CRDs are, as `bash` understands it.
    crds: &'static str,
    supervisor: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    operator: OnceLock<PathBuf>,
}

impl ControlPlane {
    /// The one that all tests share, with our CRDs, Kargo's Promotions and the rights that the chart gives.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        unwrap(SHARED.get_or_init(|| {
            let plane = Self::start("crds -f tests/fixtures/crds")?;
            plane.prepare()?;
            Ok(plane)
        }))
    }

    /// One whose CRDs validate nothing and whose API server may be stopped; the test that holds it has it alone.
    pub(crate) async fn lawless() -> (&'static Self, AsyncMutexGuard<'static, ()>) {
        static LAWLESS: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        static TURN: AsyncMutex<()> = AsyncMutex::const_new(());
        Self::alone(&LAWLESS, &TURN).await
    }

    /// Another of this kind, for those who have to wait until a Lease expires: no other test has to wait with them.
    pub(crate) async fn for_elections() -> (&'static Self, AsyncMutexGuard<'static, ()>) {
        static ELECTIONS: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        static TURN: AsyncMutex<()> = AsyncMutex::const_new(());
        Self::alone(&ELECTIONS, &TURN).await
    }

    /// One without any CRDs, for the test that asks for it alone. It ends when it is dropped.
    pub(crate) fn bare() -> Self {
        Self::start("").unwrap_or_else(|error| panic!("{error}"))
    }

    async fn alone(
        plane: &'static OnceLock<Result<Self, String>>,
        turn: &'static AsyncMutex<()>,
    ) -> (&'static Self, AsyncMutexGuard<'static, ()>) {
        let turn = turn.lock().await;
        let plane = unwrap(plane.get_or_init(|| {
            let plane = Self::start("$(dirname $KUBECONFIG)/crds.json")?;
            let crds = plane.dir.join("crds.json");
            std::fs::write(&crds, lawless_crds().to_string()).map_err(|error| error.to_string())?;
            plane.prepare()?;
            Ok(plane)
        }));
        // The test that was here before may have failed in between.
        plane.command("start-apiserver");
        (plane, turn)
    }

    /// CRDs, and the operator's rights.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        let line = format!(
            "tests/cluster/rbac.sh | kubectl apply -f {} -f -
             kubectl wait --for=condition=Established crd --all --timeout=30s",
            self.crds
        );
        let ran = self.bash(&line);
        if ran.code == Some(0) { Ok(()) } else { Err(ran.err) }
    }

    fn start(crds: &'static str) -> Result<Self, String> {
        let tools = tools()?;
        let dir = Builder::new().prefix("quayside-test.").tempdir().map_err(|error| error.to_string())?.keep();
        let policy = dir.join("audit-policy.yaml");
        std::fs::write(&policy, AUDIT_POLICY).map_err(|error| error.to_string())?;
        let arguments =
            format!("--audit-policy-file={} --audit-log-path={}", policy.display(), dir.join("audit.log").display());
        let mut child = Command::new("bash")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(file("tests/controlplane/controlplane.sh"))
            .arg(&dir)
            .env("QUAYSIDE_TEST_TOOLS", &tools)
            .env("CONTROLPLANE_APISERVER_ARGS", arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("bash: {error}"))?;
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let plane = Self { dir, tools, crds, supervisor: Mutex::new((input, output)), operator: OnceLock::new() };
        let line = plane.line();
        if line.starts_with("ready ") {
            Ok(plane)
        } else {
            Err("the control plane did not start; see above".to_owned())
        }
    }

    fn line(&self) -> String {
        let mut line = String::new();
        self.supervisor.lock().unwrap().1.read_line(&mut line).unwrap();
        line
    }

    /// Asks the supervisor for something and waits until it is done.
    pub(crate) fn command(&self, command: &str) {
        writeln!(self.supervisor.lock().unwrap().0, "{command}").unwrap();
        assert_eq!(self.line().trim_end(), "ok", "{command}");
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The kubeconfig of the operator: the chart's ServiceAccount.
    pub(crate) fn operator_kubeconfig(&self) -> &Path {
        self.operator.get_or_init(|| self.service_account("quayside", "quayside"))
    }

    /// A kubeconfig of a ServiceAccount, which is made if need be.
    pub(crate) fn service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let out = Builder::new().prefix("user.").tempfile_in(&self.dir).unwrap().into_temp_path().keep().unwrap();
        let mut script = Command::new(file("tests/controlplane/user.sh"));
        script.arg(self.kubeconfig()).args([namespace, name]).arg(&out).env("QUAYSIDE_TEST_TOOLS", &self.tools);
        Ran::of(&mut script, "").success();
        out
    }

    /// A kubeconfig of a ServiceAccount with the chart's rights in the cluster, but for one verb on one resource.
    pub(crate) fn without(&self, resource: &str, verb: &str) -> PathBuf {
        let name = format!("no-{verb}-{resource}");
        let mut role: Value =
            serde_json::from_str(&self.bash("kubectl get clusterrole quayside -o json").success()).unwrap();
        role["metadata"] = json!({"name": name});
        let mut kept = Vec::new();
        for rule in role["rules"].as_array().unwrap() {
            let about = rule["resources"].as_array().unwrap();
            let (those, others): (Vec<Value>, Vec<Value>) = about.iter().cloned().partition(|it| *it == resource);
            for (resources, verbs) in [
                (others, rule["verbs"].clone()),
                (those, rule["verbs"].as_array().unwrap().iter().filter(|it| **it != verb).cloned().collect()),
            ] {
                if !resources.is_empty() {
                    kept.push(json!({"apiGroups": rule["apiGroups"], "resources": resources, "verbs": verbs}));
                }
            }
        }
        role["rules"] = kept.into();
        self.bash_with("kubectl apply -f -", &role.to_string()).success();
        let bind = format!(
            "kubectl create clusterrolebinding {name} --clusterrole={name} --serviceaccount=quayside:{name} \
             --dry-run=client -o yaml | kubectl apply -f -"
        );
        self.bash(&bind).success();
        self.service_account("quayside", &name)
    }

    /// Runs a command line in the repository, with `kubectl` as the administrator and `quayside` on the path.
    pub(crate) fn bash(&self, line: &str) -> Ran {
        self.bash_with(line, "")
    }

    /// As [`Self::bash`], with that input.
    pub(crate) fn bash_with(&self, line: &str, input: &str) -> Ran {
        bash(line, input, &self.tools, &self.kubeconfig())
    }

    /// A client of the administrator. Of its own runtime: a shared one would lose its connections with another's.
    pub(crate) async fn admin(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// The requests of ServiceAccounts so far, as the API server wrote them down.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.dir.join("audit.log")).unwrap();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// The directory of etcd, kube-apiserver and kubectl. Getting them may take minutes, so progress goes to standard
/// error.
fn tools() -> Result<PathBuf, String> {
    if let Ok(tools) = std::env::var("QUAYSIDE_TEST_TOOLS") {
        return Ok(PathBuf::from(tools));
    }
    let found = Command::new(file("tests/controlplane/tools.sh")).stderr(Stdio::inherit()).output();
    let found = found.map_err(|error| format!("tools.sh: {error}"))?;
    let dir = String::from_utf8_lossy(&found.stdout);
    if found.status.success() {
        Ok(PathBuf::from(dir.trim_end()))
    } else {
        Err("tools.sh failed; see above".to_owned())
    }
}

fn unwrap(plane: &'static Result<ControlPlane, String>) -> &'static ControlPlane {
    plane.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// Our CRDs as a cluster might have them whose API server lets everything pass.
fn lawless_crds() -> Value {
    let mut crds = serde_json::to_value(quayside::api::crds()).unwrap();
    for crd in crds.as_array_mut().unwrap() {
        crd["spec"]["versions"][0]["schema"] =
            json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    }
    json!({"apiVersion": "v1", "kind": "List", "items": crds})
}

/// The `apiVersion` of one of our kinds, or of a core kind.
pub(crate) fn api_version(kind: &str) -> &'static str {
    match kind {
        "Namespace" | "Secret" => "v1",
        "Receiver" | "ClusterReceiver" | "Registration" | "ClusterRegistration" => "quayside.dev/v1alpha1",
        _ => "kargo.akuity.io/v1alpha1",
    }
}

/// The API of one of our kinds, or of a core kind.
pub(crate) fn resource(client: &Client, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let (group, version) = api_version(kind).split_once('/').unwrap_or(("", "v1"));
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    }
}
