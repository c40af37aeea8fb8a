//! A request as a script could make it.

use serde_json::json;

use crate::receiver::{Sample, SamplePush};

/// The events that can be sampled. No sender defines them; `examples/generic` understands these.
pub(super) const EVENTS: [&str; 3] = ["push", "nightly", "ping"];

/// The sample of one event, or `None` for an unknown one.
pub(super) fn sample(event: &str, push: &SamplePush<'_>) -> Option<Sample> {
    let event = EVENTS.into_iter().find(|known| *known == event)?;
    let body = match event {
        "push" => json!({
            "event": event,
            "repository": push.repository,
            "tags": push.qualifiers,
            "files": push.changed_files,
        }),
        _ => json!({"event": event}),
    };
    Some(Sample::json(&body).with_header("x-event", event))
}
