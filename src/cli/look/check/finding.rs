//! What a check comes to, and how a list of them is shown.

use std::fmt::Write;

use serde::Serialize;

use super::super::table::printable;

/// How a check ended. The worst decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Nothing to say.
    Passed,
    /// Could not be looked at; says what is missing.
    Skipped,
    /// Works, but not as one would wish.
    Warning,
    /// Pushes are lost or refused because of it.
    Failed,
}

/// The headings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Group {
    Cluster,
    WayIn,
    Receivers,
    Warehouses,
}

impl Group {
    const ALL: [Self; 4] = [Self::Cluster, Self::WayIn, Self::Receivers, Self::Warehouses];

    const fn title(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::WayIn => "Way in",
            Self::Receivers => "Receivers",
            Self::Warehouses => "Warehouses",
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Under which heading it stands.
    pub(super) group: Group,
    /// What was checked, a word that scripts can rely on.
    pub(super) check: &'static str,
    /// How it ended.
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) message: String,
    /// What to do about it; empty where nothing is to be done.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) remedy: &'static str,
}

impl Finding {
    pub(super) fn passed(group: Group, check: &'static str, message: impl Into<String>) -> Self {
        Self { group, check, verdict: Verdict::Passed, message: message.into(), remedy: "" }
    }

    pub(super) fn skipped(group: Group, check: &'static str, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, ..Self::passed(group, check, message) }
    }

    pub(super) fn warning(group: Group, check: &'static str, message: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict: Verdict::Warning, remedy, ..Self::passed(group, check, message) }
    }

    pub(super) fn failed(group: Group, check: &'static str, message: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict: Verdict::Failed, remedy, ..Self::passed(group, check, message) }
    }
}

/// The worst of all.
pub(super) fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Passed)
}

/// The list as people read it: headings, a sign and a word for each check, the remedy below what is wrong.
pub(super) fn show(findings: &[Finding]) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    for group in Group::ALL {
        let mut of_group = findings.iter().filter(|finding| finding.group == group).peekable();
        if of_group.peek().is_none() {
            continue;
        }
        writeln!(text, "{}\n{}", group.title(), "-".repeat(group.title().len())).ok();
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

    #[test]
    fn a_list_has_headings_signs_and_remedies() {
        let findings = [
            Finding::passed(Group::Cluster, "crds", "all there"),
            Finding::failed(Group::Receivers, "served", "kargo-demo/quay\u{1b}[2J", "read its conditions"),
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
