//! The client of Gitea's API for webhooks, against a real Gitea.

use quayside::domain::secret::Secret;
use quayside::hooks::gitea::Gitea as Client;
use quayside::hooks::{Access, Endpoint, HookUrl, Host, Network, NewHook, Refusal};
use serde_json::{Value, json};

use crate::harness::{GITEA_PATIENCE, GITEA_USER, Gitea, Operator, Project, wait_until};

const TITLE: &str = "Quayside";

fn client(gitea: &Gitea, token: &str) -> Client {
    let endpoint = Endpoint::parse(&format!("http://{}", gitea.host())).unwrap();
    Client::new(&Network::direct(), endpoint, &Secret::new(token.as_bytes().to_vec()), None).unwrap()
}

#[tokio::test]
async fn webhooks_are_made_tested_switched_on_and_removed() {
    let gitea = Gitea::start().await;
    let operator = Operator::shared().await;
    let project = Project::new("gitea-hooks").await;
    let receiver = project.receiver(operator, "gitea", "secret", json!({})).await;
    let repository = format!("{GITEA_USER}/storefront");
    gitea.api("POST /user/repos", &json!({"name": "storefront", "auto_init": true, "default_branch": "main"}));
    let host = client(&gitea, &gitea.token_of(GITEA_USER, &["write:repository"]));
    assert_eq!(host.inspect(&repository).await, Ok(Access::Admin));
    assert_eq!(host.list(&repository).await, Ok(Vec::new()));

    let secret = format!("a long enough secret of {}", project.namespace);
    let (url, secret) = (HookUrl::parse(&receiver.url()).unwrap(), Secret::new(secret.into_bytes()));
    let new = NewHook { title: TITLE, url: &url, event: "push,package,create", secret: Some(&secret) };
    let made = host.create(&repository, new).await.unwrap();
    assert_eq!((made.title.as_deref(), made.event.as_str()), (Some(TITLE), "create,package,push"));
    assert!(made.active && made.url == url && made.failures == 0);
    assert_eq!(host.list(&repository).await, Ok(vec![made.clone()]));

    // 200 means that the signature was right.
    host.test(&repository, &made.id).await.unwrap();
    let page = format!("/{repository}/settings/hooks/{}", made.id);
    let delivered = wait_until("Gitea has delivered", GITEA_PATIENCE, async || gitea.deliveries(&page).pop()).await;
    assert_eq!((delivered.event.as_str(), delivered.status), ("push", 200), "{delivered:?}");

    let off = json!({"active": false, "events": ["push", "package", "create"]});
    gitea.api(&format!("PATCH /repos/{repository}/hooks/{}", made.id), &off);
    assert!(!host.list(&repository).await.unwrap()[0].active);
    for _ in 0..2 {
        host.enable(&repository, &made.id).await.unwrap();
        assert_eq!(host.list(&repository).await, Ok(vec![made.clone()]), "with all its events");
    }

    for _ in 0..2 {
        host.delete(&repository, &made.id).await.unwrap();
        assert_eq!(host.list(&repository).await, Ok(Vec::new()));
    }
    assert_eq!(host.enable(&repository, &made.id).await, Err(Refusal::HookGone));
    assert_eq!(host.test(&repository, &made.id).await, Err(Refusal::HookGone));
}

#[tokio::test]
async fn what_a_real_gitea_refuses_is_named_and_all_pages_are_read() {
    let gitea = Gitea::start().await;
    gitea.api("POST /user/repos", &json!({"name": "storefront", "auto_init": true}));
    gitea.api("POST /orgs", &json!({"username": "southwind"}));
    for name in ["web", "api"] {
        gitea.api("POST /orgs/southwind/repos", &json!({"name": name}));
    }
    let repository = format!("{GITEA_USER}/storefront");
    let stranger = json!({"username": "mira", "email": "m@example.com", "password": "of-no-use-48", "must_change_password": false});
    gitea.api("POST /admin/users", &stranger);
    let scopes = ["write:repository", "read:user", "read:organization"];
    let host = client(&gitea, &gitea.token_of(GITEA_USER, &scopes));

    let stranger = client(&gitea, &gitea.token_of("mira", &scopes));
    assert_eq!(stranger.inspect(&repository).await, Ok(Access::NotAdmin));
    assert_eq!(stranger.list(&repository).await, Err(Refusal::Forbidden));
    let unknown = client(&gitea, &"0".repeat(40));
    assert_eq!(unknown.inspect(&repository).await, Err(Refusal::TokenUnusable));
    assert_eq!(unknown.repositories("southwind").await, Err(Refusal::TokenUnusable));
    let without_scope = client(&gitea, &gitea.token_of(GITEA_USER, &["read:user"]));
    assert_eq!(without_scope.list(&repository).await, Err(Refusal::Forbidden));
    for name in ["northwind/unknown", "nobody/web"] {
        assert_eq!(host.inspect(name).await, Err(Refusal::RepositoryGone), "{name}");
    }
    assert_eq!(host.inspect("a/b/c").await, Err(Refusal::BadName));
    let url = HookUrl::parse("http://hooks.example.com/%zz").unwrap();
    let odd = NewHook { title: TITLE, url: &url, event: "push", secret: None };
    assert_eq!(host.create(&repository, odd).await, Err(Refusal::UrlRefused));

    assert_eq!(host.repositories("southwind").await, Ok(vec!["southwind/api".to_owned(), "southwind/web".to_owned()]));
    assert_eq!(host.repositories(GITEA_USER).await, Ok(vec![repository.clone()]));
    assert_eq!(host.repositories("nobody").await, Err(Refusal::RepositoryGone));

    for number in 0..51 {
        let config = json!({"url": format!("http://127.0.0.1/{number}"), "content_type": "json"});
        gitea.api(
            &format!("POST /repos/{repository}/hooks"),
            &json!({"type": "gitea", "active": true, "events": ["push"], "config": config}),
        );
    }
    let chat = json!({"url": "http://127.0.0.1/chat", "content_type": "json", "channel": "x"});
    let chat = json!({"type": "slack", "active": true, "events": ["push"], "config": chat});
    gitea.api(&format!("POST /repos/{repository}/hooks"), &chat);
    assert_eq!(host.list(&repository).await.unwrap().len(), 51, "all pages, without the chat");
    gitea.api(&format!("DELETE /repos/{repository}"), &Value::Null);
    assert_eq!(host.list(&repository).await, Err(Refusal::RepositoryGone));
}
