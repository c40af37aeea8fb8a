//! A request as a script of one's own could make it.

use serde_json::json;

use crate::receiver::{Sample, SamplePush};

/// The events that can be sampled. There is no sender that defines them; the example folder understands these.
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
