//! A generic receiver as a tenant might configure it, in the first line, and a body that a stranger might send.
#![no_main]

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::domain::kind::ReceiverKind;
use quayside::domain::secret::Secret;
use quayside::receiver::{Request, Settings, implementation};
use quayside::workbench::{Action, CompileBudget, GenericConfig};
use quayside_fuzz::within_budget;

fuzz_target!(|text: &str| {
    let (config, body) = text.split_once('\n').unwrap_or((text, r#"{"a":[1,"b",{"c":null}]}"#));
    let Ok(config) = serde_json::from_str::<GenericConfig>(config) else { return };
    let actions: Arc<[Action]> = within_budget(text.len(), || {
        let mut budget = CompileBudget::default();
        config.actions.iter().map(|action| Action::compile(action, &mut budget)).collect()
    });
    let settings = Settings { actions, ..Settings::new(Secret::new(b"a long enough secret".to_vec())) };
    let headers = HeaderMap::new();
    let request = Request { headers: &headers, query: None, body: body.as_bytes(), arrived: Timestamp::UNIX_EPOCH };
    within_budget(text.len(), || implementation(ReceiverKind::Generic).receive(&request, &settings)).ok();
});
