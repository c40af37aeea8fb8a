//! Is everything as it should be, and what to do where it is not.

use maud::{Markup, html};

use super::parts::{Tone, pill};
use crate::views::checks::worst;
use crate::views::model::{Check, Checks, Group, Verdict};

const GROUPS: [(Group, &str); 4] = [
    (Group::Cluster, "Cluster"),
    (Group::WayIn, "Way in"),
    (Group::Receivers, "Receivers"),
    (Group::Warehouses, "Warehouses"),
];

pub(super) fn page(checks: &Checks) -> Markup {
    let tone = Tone::of_verdict(worst(&checks.checks));
    let count = |verdict| checks.checks.iter().filter(|check| check.verdict == verdict).count();
    let sentence = match (count(Verdict::Failed), count(Verdict::Warning)) {
        (0, 0) => "Everything that the replicas know is as it should be".to_owned(),
        (0, warnings) => format!("{warnings} warning(s), no failure"),
        (failed, warnings) => format!("{failed} failure(s), {warnings} warning(s)"),
    };
    html! {
        section class={ "hero " (tone.class()) } aria-label="Summary" {
            h1 { (pill(&sentence, tone)) }
            p { code { "quayside check" } " also looks at the objects of the cluster and, from where you are, at the way in." }
        }
        div #live-checks {
            @for (group, title) in GROUPS {
                @let of_group: Vec<&Check> = checks.checks.iter().filter(|check| check.group == group).collect();
                @if !of_group.is_empty() {
                    section {
                        h2 { (title) }
                        ul.checks { @for check in of_group { (line(check)) } }
                    }
                }
            }
        }
    }
}

fn line(check: &Check) -> Markup {
    let word = match check.verdict {
        Verdict::Passed => "passed",
        Verdict::Skipped => "skipped",
        Verdict::Warning => "warning",
        Verdict::Failed => "failed",
    };
    html! {
        li {
            (pill(word, Tone::of_verdict(check.verdict))) " " strong { (check.check) } ": " (check.message)
            @if !check.remedy.is_empty() { p.remedy { (check.remedy) } }
        }
    }
}
