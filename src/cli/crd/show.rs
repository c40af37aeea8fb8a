//! How the comparison is shown to people.

use std::fmt::Write;

use super::change::{Change, How, Part};
use super::report::{DryRun, Report, State};
use crate::cli::look::table::printable;
use crate::views::model::Verdict;

pub(super) fn show(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        add(&mut text, report);
    }
    let count = |state| reports.iter().filter(|report| report.state == state).count();
    let refused = reports.iter().filter(|report| report.verdict == Verdict::Failed).count();
    // Writing to a text cannot fail.
    write!(
        text,
        "\n{} definitions: {} the same, {} left to Kargo, {} would be installed, {} would change",
        reports.len(),
        count(State::Same),
        count(State::Kept),
        count(State::New),
        count(State::Changed)
    )
    .ok();
    text.push_str(&if refused == 0 { ".\n".to_owned() } else { format!("; {refused} must be seen to first.\n") });
    text
}

fn add(text: &mut String, report: &Report) {
    let state = match report.state {
        State::New => "is not installed and would be",
        State::Same => "is the same",
        State::Changed => "would change",
        State::Kept => "is left alone",
    };
    let owner = report.owner.as_ref().map(|owner| format!(" ({})", owner.words())).unwrap_or_default();
    let mut line = |line: String| {
        text.push_str(printable(&line).trim_end());
        text.push('\n');
    };
    line(format!("{} {state}{owner}", report.name));
    for change in &report.changes {
        line(format!("    {}", of_change(change)));
    }
    for danger in &report.dangers {
        line(format!("    × {}", danger.message));
        line(format!("        {}", danger.remedy));
    }
    match &report.dry_run {
        DryRun::NotNeeded => {}
        DryRun::Accepted => line("    The API server would accept it.".to_owned()),
        DryRun::Refused(message) => line(format!("    × The API server would refuse it: {message}")),
        DryRun::NotTried(why) => line(format!("    Not tried with the API server: {why}")),
    }
    if !report.brought_by.is_empty() {
        line(format!("    By {}", report.brought_by));
    }
}

fn of_change(change: &Change) -> String {
    let sign = match change.how {
        How::Added => "+",
        How::Removed => "-",
        How::Changed => "~",
    };
    let part = match change.part {
        Part::Scope => "scope",
        Part::Names => "names",
        Part::Conversion => "conversion",
        Part::Version => "version",
        Part::Column => "column",
        Part::Field => "field",
        Part::Descriptions => "descriptions",
    };
    let name = if change.name.is_empty() { String::new() } else { format!(" {}", change.name) };
    let detail = if change.detail.is_empty() { String::new() } else { format!(": {}", change.detail) };
    let dropped = if change.drops_values { " (objects lose its value when they are next written)" } else { "" };
    format!("{sign} {part}{name}{detail}{dropped}")
}

#[cfg(test)]
mod tests {
    use super::super::change::Danger;
    use super::super::owner::Owner;
    use super::*;

    #[test]
    fn changes_dangers_and_the_dry_run_are_lines_below_the_name() {
        let owner =
            Owner { release: "ops/quayside".to_owned(), is_kargo: false, is_our_release: true, written_by: Vec::new() };
        let removed = Change {
            part: Part::Field,
            how: How::Removed,
            name: "v1alpha1 .spec.old".to_owned(),
            detail: String::new(),
            drops_values: true,
        };
        let report = Report {
            name: "receivers.quayside.dev".to_owned(),
            state: State::Changed,
            verdict: Verdict::Failed,
            owner: Some(owner),
            changes: vec![removed],
            dangers: vec![Danger { message: "stored\u{1b}".to_owned(), remedy: "migrate".to_owned() }],
            dry_run: DryRun::Accepted,
            brought_by: "helm upgrade".to_owned(),
        };
        assert_eq!(
            show(&[report]),
            "receivers.quayside.dev would change (of the Helm release ops/quayside)\n    \
             - field v1alpha1 .spec.old (objects lose its value when they are next written)\n    \
             × stored\u{fffd}\n        migrate\n    \
             The API server would accept it.\n    By helm upgrade\n\n\
             1 definitions: 0 the same, 0 left to Kargo, 0 would be installed, 1 would change; 1 must be seen to first.\n"
        );
    }
}
