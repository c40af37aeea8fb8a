//! The mistakes of `docs/troubleshooting.md`, one by one: each is made on the real API server, the documented command
//! is run, and must print the documented sentence.

mod cluster;
mod kargo;
mod secrets;
mod senders;
mod subscriptions;
mod way_in;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::{ControlPlane, Hook, Operator, Project, SOON, content, get, wait_until};

/// Declares the tests: the symptom as the document has it, and the function that provokes it.
macro_rules! misconfigurations {
    ($($symptom:literal => $module:ident::$name:ident,)*) => {
        const PROVOKED: &[&str] = &[$($symptom),*];
        $(
            #[tokio::test]
            async fn $name() {
                $module::$name(Row::of($symptom)).await;
            }
        )*
    };
}

misconfigurations! {
    "The tag is outside the constraint" => subscriptions::outside_the_constraint,
    "The tag is a pre-release" => subscriptions::pre_release,
    "A version has a leading zero" => subscriptions::leading_zero,
    "The tag is no version" => subscriptions::no_version,
    "Tags begin with `v`, and `allowTagsRegexes` does not expect that" => subscriptions::v_prefix,
    "`ignoreTagsRegexes` excludes the tag" => subscriptions::ignored_tag,
    "Strategy `Digest` follows another tag" => subscriptions::other_tag,
    "The constraint is malformed" => subscriptions::malformed_constraint,
    "The constraint is in a field that Kargo does not read" => subscriptions::misplaced_constraint,
    "Another branch was pushed" => subscriptions::other_branch,
    "`includePaths` selects none of the changed files" => subscriptions::path_filter,
    "The cluster pulls under another host name" => subscriptions::alias_missing,
    "SSH uses another host name than HTTPS" => subscriptions::ssh_host,
    "The receiver belongs to another project" => subscriptions::other_project,
    "Annotations narrow the receiver down to other projects" => subscriptions::narrowed_down,
    "The name of the Warehouse is misspelt" => subscriptions::misspelt,
    "The Secret does not exist" => secrets::missing,
    "The key in the Secret is misnamed" => secrets::misnamed_key,
    "The secret is empty" => secrets::empty,
    "The secret is weak" => secrets::weak,
    "The secret ends in a line break" => secrets::line_break,
    "The sender signs with another secret" => secrets::other_secret,
    "Two receivers claim one path" => secrets::clash,
    "Quayside may not read the Secret" => secrets::forbidden,
    "The sender was never set up" => senders::silent,
    "The webhook is registered for builds only" => senders::builds_only,
    "The POST template leaves the repository out" => senders::template,
    "The sender still has the URL of an earlier secret" => senders::stale_url,
    "The sender still has the URL under `secret.previous`" => senders::previous_url,
    "A redirect turned the POST into a GET" => senders::turned_into_get,
    "An action of a generic receiver can never be carried out" => senders::broken_action,
    "Quayside may not patch Warehouses" => kargo::no_right_to_patch,
    "Kargo's controller does not run" => kargo::controller_down,
    "The registry fails when Kargo asks it" => kargo::registry_failing,
    "Kargo does not list what was pushed" => kargo::not_listed,
    "A CRD of Kargo is missing" => cluster::crd_missing,
    "Kargo's CRDs are of another version" => cluster::crd_of_another_version,
    "Kargo has another base URL" => cluster::other_base_url,
    "Quayside does not run" => cluster::not_running,
    "The views are turned off" => cluster::no_views,
    "Nothing listens at the base URL" => way_in::nothing_listens,
    "The ingress redirects" => way_in::redirects,
    "The certificate names another host" => way_in::certificate_of_another_host,
    "Senders do not trust the certificate" => way_in::certificate_of_a_stranger,
    "Another service answers below the base URL" => way_in::another_service,
}

/// A row of the document.
struct Row {
    symptom: String,
    command: String,
    sentence: String,
}

impl Row {
    fn all() -> Vec<Self> {
        let document = content("docs/troubleshooting.md");
        let table = document.lines().skip_while(|line| *line != "| symptom | command | it prints |").skip(2);
        let row = |line: &str| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [symptom, command, sentence] = cells.as_slice() else { panic!("three cells: {line}") };
            let (command, sentence) = (command.trim_matches('`').to_owned(), sentence.trim_matches('`').to_owned());
            Self { symptom: (*symptom).to_owned(), command, sentence }
        };
        table.take_while(|line| line.starts_with('|')).map(row).collect()
    }

    fn of(symptom: &str) -> Self {
        let row = Self::all().into_iter().find(|row| row.symptom == symptom);
        row.unwrap_or_else(|| panic!("docs/troubleshooting.md has no row {symptom:?}"))
    }

    /// Runs the command, which must print the sentence. What the mistake leads to becomes true a moment after it, so
    /// the views are asked first, at no cost; where they do not know it, the command is repeated.
    async fn is_told(&self, asked: Asked<'_>) {
        let Asked { plane, namespace, views, knows, base, environment } = asked;
        let mut command = self.command.replace("kargo-demo", namespace).replace("https://hooks.example.com", base);
        let sentence = self.sentence.replace("kargo-demo", namespace).replace("https://hooks.example.com", base);
        if let Some(views) = views {
            let path = match command.strip_prefix("quayside why ") {
                Some(warehouse) => Some(format!("/api/v1/warehouses/{warehouse}")),
                None => {
                    ["remark: ", "url: "].iter().any(|it| sentence.starts_with(it)).then(|| "/api/v1/checks".to_owned())
                }
            };
            if let Some(path) = path.filter(|_| knows) {
                self.is_in_view(views, &path, &sentence).await;
            }
            command = format!("{command} --server http://{views}");
        }
        command.insert_str(0, &environment);
        wait_until(&format!("{command} prints {sentence:?}"), SOON * 3, async || {
            let ran = plane.bash(&command);
            let printed = format!("{}{}", ran.out, ran.err);
            println!("{printed}");
            is_in(&sentence, &printed).then_some(())
        })
        .await;
    }

    /// Waits until a view holds the sentence, as far as it is one of the view.
    async fn is_in_view(&self, views: SocketAddr, path: &str, sentence: &str) {
        let sentence = sentence.trim_start_matches("remark: ").trim_start_matches("url: ");
        let mut last = String::new();
        wait_until(&format!("{path} says {sentence:?}"), SOON * 3, async || {
            let body = get(views, path).body;
            let view: Value = serde_json::from_str(&body).ok()?;
            let messages =
                view["checks"].as_array().into_iter().flatten().filter_map(|check| check["message"].as_str());
            let told: Vec<&str> = view["answer"].as_str().into_iter().chain(messages).collect();
            let told = told.join("\n");
            if told != last && view["answer"].is_string() {
                println!("{told}");
            }
            let holds = is_in(sentence, &told);
            last = told;
            holds.then_some(())
        })
        .await;
    }
}

/// Whether a text holds the parts of a sentence in their order; an ellipsis stands for anything.
fn is_in(sentence: &str, text: &str) -> bool {
    let mut rest = text;
    sentence.split('…').map(str::trim).all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// Where the command is run.
struct Asked<'a> {
    plane: &'a ControlPlane,
    /// For the project of the document.
    namespace: &'a str,
    /// The process that is asked; `None` to look for Pods.
    views: Option<SocketAddr>,
    /// Whether that process answers.
    knows: bool,
    /// For the base URL of the document.
    base: &'a str,
    /// Assignments in front of the command.
    environment: String,
}

impl<'a> Asked<'a> {
    fn of(project: &'a Project, operator: &Operator) -> Self {
        let views = Some(operator.views);
        Self {
            plane: project.plane,
            namespace: &project.namespace,
            views,
            knows: true,
            base: "",
            environment: String::new(),
        }
    }
}

/// Waits until the operator knows of the Warehouse.
async fn known(project: &Project, operator: &Operator) {
    let path = format!("/api/v1/warehouses/{}/app", project.namespace);
    wait_until("the operator knows of the Warehouse", SOON, async || {
        let view: Value = serde_json::from_str(&get(operator.views, &path).body).ok()?;
        (view["found"] == true).then_some(())
    })
    .await;
}

/// A repository that no other test pushes to.
fn repository(project: &Project) -> String {
    format!("quay.io/northwind/{}", project.namespace)
}

/// A project with a Quay receiver and a Warehouse that subscribes to its repository with these settings.
async fn subscribed(name: &str, operator: &Operator, settings: Value) -> (Project, Hook) {
    let project = Project::new(name).await;
    let hook = project.quay(operator).await;
    let mut image = json!({"repoURL": repository(&project), "imageSelectionStrategy": "SemVer"});
    image.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    project.warehouse("app", json!([{ "image": image }])).await;
    known(&project, operator).await;
    (project, hook)
}

#[test]
fn every_mistake_of_the_document_is_provoked() {
    let documented: Vec<String> = Row::all().into_iter().map(|row| row.symptom).collect();
    assert!(documented.len() >= 30, "{}", documented.len());
    assert_eq!(documented, PROVOKED, "the table of docs/troubleshooting.md, in its order");
    assert_eq!(documented.iter().collect::<BTreeSet<_>>().len(), documented.len());
}

#[test]
fn an_ellipsis_stands_for_anything() {
    assert!(is_in("a … c", "x a b c"));
    assert!(!is_in("c … a", "x a b c"));
    assert!(!is_in("a d", "x a b d"));
}
