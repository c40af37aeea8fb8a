//! Which pull requests a Promotion waits for: pure.
//!
//! The contract's source is Kargo's index `RunningPromotionsByPullRequestURL`.

use serde_json::Value;

/// The step that waits for a pull request.
const WAITING_STEP: &str = "git-wait-for-pr";

/// The addresses of the pull requests that a Promotion waits, or has waited, for while it runs: of the steps up to the
/// current one, in their order. An object that is not what Kargo writes has none.
#[must_use]
pub fn pull_request_urls(spec: &Value, status: &Value) -> Vec<String> {
    if status["phase"].as_str() != Some("Running") {
        return Vec::new();
    }
    let current = status.get("currentStep").and_then(Value::as_i64).unwrap_or(0);
    let Ok(reached) = usize::try_from(current.saturating_add(1)) else {
        return Vec::new();
    };
    let steps = spec["steps"].as_array().into_iter().flatten().take(reached);
    steps
        .filter(|step| step["uses"].as_str() == Some(WAITING_STEP))
        .filter_map(|step| step["as"].as_str().filter(|alias| !alias.is_empty()))
        .filter_map(|alias| status["state"].get(alias)?["pr"]["url"].as_str())
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vectors;

    #[test]
    fn promotion_vectors_agree() {
        let mut checked = 0;
        for case in vectors::lines("promotions") {
            let promotion = &case["promotion"];
            let found = pull_request_urls(&promotion["spec"], &promotion["status"]);
            if case.get("error").is_none() {
                assert_eq!(serde_json::json!(found), case["urls"], "{}", case["id"]);
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }
}
