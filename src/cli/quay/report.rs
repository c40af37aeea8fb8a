//! What is printed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::work::{Ending, Row};
use crate::cli::look::table::{printable, table};
use crate::hooks::{Access, Hook};

/// Repositories that are named in one sentence.
const NAMED: usize = 5;

const fn state(hook: &Hook) -> &'static str {
    match (hook.active, hook.failures) {
        (false, _) => "switched_off",
        (true, 0) => "enabled",
        (true, _) => "failing",
    }
}

/// All webhooks in one table.
pub(super) fn hooks(rows: &[Row]) -> String {
    let mut cells = Vec::new();
    for row in rows {
        if row.hooks.is_empty() {
            let what = if row.has_failed() { row.ending.as_str() } else { "none" };
            let blank = || "-".to_owned();
            cells.push(vec![
                row.repository.clone(),
                blank(),
                blank(),
                blank(),
                blank(),
                what.to_owned(),
                blank(),
                blank(),
            ]);
        }
        for (hook, ours) in &row.hooks {
            cells.push(vec![
                row.repository.clone(),
                hook.id.clone(),
                hook.title.clone().unwrap_or_default(),
                hook.event.clone(),
                hook.failures.to_string(),
                state(hook).to_owned(),
                hook.url.fingerprint(),
                if *ours { "yes" } else { "no" }.to_owned(),
            ]);
        }
    }
    table(&["REPOSITORY", "ID", "TITLE", "EVENT", "FAILURES", "STATE", "URL", "OURS"], &cells)
}

/// What came of each repository.
pub(super) fn outcomes(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let (ending, changed) = (row.ending.as_str().to_owned(), row.changed.to_string());
        vec![row.repository.clone(), ending, changed, row.message.clone()]
    };
    table(&["REPOSITORY", "OUTCOME", "CHANGED", "MESSAGE"], &rows.iter().map(cells).collect::<Vec<_>>())
}

/// All of it, for scripts.
pub(super) fn json(rows: &[Row], is_dry: bool) -> Value {
    let shown = |row: &Row| {
        let hooks = row.hooks.iter().map(|(hook, ours)| {
            json!({
                "id": hook.id, "title": hook.title, "event": hook.event, "failures": hook.failures,
                "state": state(hook), "urlFingerprint": hook.url.fingerprint(), "ours": ours,
            })
        });
        let access = row.access.map(|access| match access {
            Access::Admin => "admin",
            Access::NotAdmin => "not_admin",
        });
        json!({
            "repository": row.repository, "access": access, "outcome": row.ending.as_str(), "changed": row.changed,
            "message": row.message, "hooks": hooks.collect::<Vec<_>>(),
        })
    };
    json!({"dryRun": is_dry, "repositories": rows.iter().map(shown).collect::<Vec<_>>()})
}

/// What the token may do, and what went wrong.
pub(super) fn summary(rows: &[Row]) -> Vec<String> {
    let admin = rows.iter().filter(|row| row.access == Some(Access::Admin)).count();
    let mut lines = vec![format!("the token is admin of {admin} of {} repositories", rows.len())];
    let mut problems: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.has_failed()) {
        problems.entry(row.ending.as_str()).or_default().push(row);
    }
    for (reason, rows) in problems {
        let names: Vec<String> = rows.iter().take(NAMED).map(|row| printable(&row.repository)).collect();
        let more = rows.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("{reason}: {}{more}: {}", names.join(", "), rows[0].message));
    }
    let (failing, off) = rows.iter().filter(|row| row.ending == Ending::Listed).flat_map(|row| &row.hooks).fold(
        (0_usize, 0_usize),
        |(failing, off), (hook, _)| match (hook.active, hook.failures) {
            (false, _) => (failing, off + 1),
            (true, 1..) => (failing + 1, off),
            (true, 0) => (failing, off),
        },
    );
    if failing + off > 0 {
        lines.push(format!("{off} webhook(s) are switched off and {failing} have failures: see quayside quay heal"));
    }
    lines
}
