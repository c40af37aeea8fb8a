//! The page in a real browser: it is clicked through, by mouse and by keyboard, and judged by axe.
//!
//! Where Chromium or Node.js is not installed the test says so and passes, see [`installed`].

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::{Kargo, Operator, Project, Ran, SOON, Setup, file, get, image, installed, push_body, wait_until};

/// What the script needs besides Chromium.
fn tools(chromium: &Path) -> String {
    let mut script = Command::new(file("tests/page/tools.sh"));
    Ran::of(script.env("QUAYSIDE_CHROMIUM", chromium), "").success().trim_end().to_owned()
}

/// Where the screenshots stay.
fn folder() -> PathBuf {
    let folder = file("target/page");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn the_page_works_for_everybody() {
    let chromium = std::env::var_os("QUAYSIDE_CHROMIUM").map(PathBuf::from).or_else(|| installed("chromium"));
    let (Some(chromium), Some(node), Some(_)) = (chromium, installed("node"), installed("npm")) else { return };
    let project = Project::new("page").await;
    let operator = Operator::start(Setup::on(project.plane));
    operator.ready().await;
    let hook = project.quay(&operator).await;
    let repository = format!("quay.io/northwind/{}", project.namespace);
    let tags = |_: &str| Ok(vec![crate::harness::Tagged { tag: "1.4.2".to_owned(), digest: String::new() }]);
    let _kargo = Kargo::start(&project, Box::new(tags));
    project.warehouse("app", json!([image(&repository, "^1.0.0")])).await;
    project.warehouse("next", json!([image(&repository, "^2.0.0")])).await;
    project.settle(&hook).await;
    let pushed = hook.push(&repository, &["1.4.2"]);
    let id = pushed.json()["deliveryId"].as_str().unwrap().to_owned();
    hook.push(&repository, &["3.0.0"]);
    hook.post("no JSON");
    hook.push(&repository.replace("quay.io", "quay.corp.example.com"), &["1.4.2"]);
    wait_until("the push is seen", SOON, async || {
        get(operator.views, &format!("/api/v1/deliveries/{id}")).body.contains("\"seen\"").then_some(())
    })
    .await;
    let mut script = Command::new(node);
    script.env("QUAYSIDE_CHROMIUM", &chromium);
    script.arg(file("tests/page/page.mjs")).arg(format!("http://{}", operator.views));
    script.args([format!("{}/app", project.namespace), id]).arg(folder());
    script.env("QUAYSIDE_PAGE_TOOLS", tools(&chromium));
    script.env("QUAYSIDE_URL", hook.url()).env("QUAYSIDE_BODY", push_body(&repository, &["1.4.2"]));
    Ran::of(&mut script, "").success();
}
