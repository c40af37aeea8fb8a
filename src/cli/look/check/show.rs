//! How a list of checks is shown.

use std::fmt::Write;

use super::super::table::printable;
use crate::views::model::{Check, Group, Verdict};

const GROUPS: [Group; 4] = [Group::Cluster, Group::WayIn, Group::Receivers, Group::Warehouses];

const fn title(group: Group) -> &'static str {
    match group {
        Group::Cluster => "Cluster",
        Group::WayIn => "Way in",
        Group::Receivers => "Receivers",
        Group::Warehouses => "Warehouses",
    }
}

/// The list as people read it: headings, a sign and a word for each check, the remedy below what is wrong.
pub(super) fn show(findings: &[Check]) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    for group in GROUPS {
        let mut of_group = findings.iter().filter(|finding| finding.group == group).peekable();
        if of_group.peek().is_none() {
            continue;
        }
        writeln!(text, "{}\n{}", title(group), "-".repeat(title(group).len())).ok();
        for finding in of_group {
            let sign = match finding.verdict {
                Verdict::Passed => "√",
                Verdict::Skipped => "-",
                Verdict::Warning => "‼",
                Verdict::Failed => "×",
            };
            writeln!(text, "{sign} {}: {}", finding.check, printable(&finding.message)).ok();
            if !finding.remedy.is_empty() {
                writeln!(text, "    {}", finding.remedy).ok();
            }
        }
        text.push('\n');
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (failed, warnings) = (count(Verdict::Failed), count(Verdict::Warning));
    let summary = match (failed, warnings) {
        (0, 0) => "Everything that was checked is as it should be.".to_owned(),
        (0, warnings) => format!("{warnings} warning(s), no failure."),
        (failed, warnings) => format!("{failed} failure(s), {warnings} warning(s)."),
    };
    writeln!(text, "{summary}").ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::checks::worst;

    #[test]
    fn a_list_has_headings_signs_and_remedies() {
        let findings = [
            Check::passed(Group::Cluster, "crds", "all there"),
            Check::failed(Group::Receivers, "served", "kargo-demo/quay\u{1b}[2J", "read its conditions"),
        ];
        let shown = show(&findings);
        assert_eq!(
            shown,
            "Cluster\n-------\n√ crds: all there\n\nReceivers\n---------\n× served: kargo-demo/quay\u{fffd}[2J\n    read its conditions\n\n1 \
             failure(s), 0 warning(s).\n"
        );
        assert_eq!(worst(&findings), Verdict::Failed);
        assert_eq!(worst(&[]), Verdict::Passed);
    }
}
