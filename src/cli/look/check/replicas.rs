//! What the replicas say of themselves and of what was delivered.

use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Group};
use crate::journal::record::Record;
use crate::views::model::{Health, Receiver};

/// Clocks further apart than this make times hard to compare.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(5);
/// Deliveries of a receiver from which its usual pace is known.
const ENOUGH: usize = 5;
/// Silence is remarkable when it lasts so many times the longest pause before.
const REMARKABLE: i32 = 3;

/// Readiness, the leader, the spool and the clocks.
pub(super) fn health(replicas: &[Health], problems: &[String], now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |finding| findings.push(finding);
    let names = |passes: fn(&Health) -> bool| {
        replicas.iter().filter(|it| passes(it)).map(|it| it.replica.clone()).collect::<Vec<_>>().join(", ")
    };
    if problems.is_empty() && replicas.iter().all(|replica| replica.ready) {
        find(Finding::passed(Group::Cluster, "replicas", format!("{} ready", replicas.len())));
    } else {
        let unready = replicas.iter().filter(|replica| !replica.ready).map(|replica| {
            let closed: Vec<&str> =
                replica.gates.iter().filter(|gate| !gate.open).map(|gate| gate.name.as_str()).collect();
            format!("{} waits for {}", replica.replica, closed.join(", "))
        });
        let all: Vec<String> = unready.chain(problems.iter().cloned()).collect();
        let remedy = "Read the replica's log; a gate that stays closed names what cannot be listed.";
        find(Finding::failed(Group::Cluster, "replicas", all.join("; "), remedy));
    }
    find(match replicas.iter().filter(|replica| replica.leader).count() {
        1 => Finding::passed(Group::Cluster, "leader", format!("{} leads", names(|it| it.leader))),
        0 => Finding::warning(
            Group::Cluster,
            "leader",
            "no replica leads, so no status is written",
            "See the rights on leases in the namespace of Quayside; another replica takes over within 15 s.",
        ),
        _ => Finding::warning(
            Group::Cluster,
            "leader",
            format!("several lead: {}", names(|it| it.leader)),
            "Give all replicas the same --lease-namespace.",
        ),
    });
    if replicas.iter().all(|replica| replica.spool.is_some()) {
        find(Finding::passed(Group::Cluster, "spool", "every replica keeps on disk what it owes"));
    } else {
        let message = format!("without a spool: {}", names(|it| it.spool.is_none()));
        let remedy =
            "Give --spool-dir a directory; without one a push during an outage of the API server is answered 503.";
        find(Finding::warning(Group::Cluster, "spool", message, remedy));
    }
    let skew = replicas.iter().map(|replica| replica.now.duration_since(now).abs()).max().unwrap_or_default();
    if skew > MOST_SKEW {
        let message = format!("the clocks of this machine and of a replica are {} s apart", skew.as_secs());
        find(Finding::warning(
            Group::Cluster,
            "clock",
            message,
            "Synchronise the clocks; tokens that expire are judged by them.",
        ));
    } else {
        find(Finding::passed(Group::Cluster, "clock", "the clocks agree"));
    }
    findings
}

/// Receivers that senders do not use as they should.
pub(super) fn receivers(receivers: &[Receiver], records: &[Record], since: Timestamp, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for receiver in receivers {
        let name = if receiver.project.is_empty() {
            format!("{} (cluster)", receiver.name)
        } else {
            format!("{}/{}", receiver.project, receiver.name)
        };
        let mut warn = |check, message: String, remedy| {
            findings.push(Finding::warning(Group::Receivers, check, message, remedy));
        };
        if receiver.warehouses == 0 {
            let remedy = "Create a Warehouse in the project, or widen the annotations that narrow the receiver down.";
            warn("scope", format!("{name}: no Warehouse is within its reach"), remedy);
        }
        let refused = |outcome: &str| {
            matches!(outcome, "unauthorized" | "invalid_body" | "method_not_allowed" | "too_large" | "too_slow")
        };
        let Some(last) = receiver.last else {
            let message = format!("{name}: never called since {}", since.strftime("%F %T UTC"));
            warn(
                "called",
                message,
                "Register its URL with the sender: kubectl get projectconfig -o yaml, status.webhookReceivers.",
            );
            continue;
        };
        if receiver.past.iter().all(|past| refused(&past.outcome)) {
            let message = format!(
                "{name}: every request was refused, the last as {}",
                receiver.past.last().map_or("", |past| &past.outcome)
            );
            warn(
                "accepted",
                message,
                "quayside deliveries --receiver shows why; most often the sender's secret or method differs.",
            );
        }
        let of_receiver = |record: &&Record| record.receiver == receiver.name && record.project == receiver.project;
        if records.iter().filter(of_receiver).any(|record| record.previous_url) {
            let remedy = "Register the current URL with the sender, then remove secret.previous from the Secret.";
            warn("url", format!("{name}: the sender still calls the URL of the previous secret"), remedy);
        }
        if receiver.past.len() >= ENOUGH {
            let pauses = receiver.past.windows(2).map(|pair| pair[1].time.duration_since(pair[0].time));
            let longest = pauses.max().unwrap_or_default().max(SignedDuration::from_mins(10));
            if now.duration_since(last) > longest.saturating_mul(REMARKABLE) {
                let message = format!("{name}: silent since {}, longer than usual", last.strftime("%F %T UTC"));
                let remedy = "See in the sender whether the webhook is still enabled; Quay disables one after repeated failures.";
                warn("silence", message, remedy);
            }
        }
    }
    if findings.is_empty() && !receivers.is_empty() {
        findings.push(Finding::passed(
            Group::Receivers,
            "called",
            format!("{} receiver(s) are called as usual", receivers.len()),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::look::check::finding::{Verdict, worst};
    use crate::views::model::{Gate, Past, Spool};

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn replica(name: &str) -> Health {
        Health {
            replica: name.to_owned(),
            ready: true,
            spool: Some(Spool::default()),
            now: second(100),
            ..Health::default()
        }
    }

    fn checks(findings: &[Finding], verdict: Verdict) -> Vec<&'static str> {
        findings.iter().filter(|finding| finding.verdict == verdict).map(|finding| finding.check).collect()
    }

    #[test]
    fn healthy_replicas_pass_and_each_trouble_is_named() {
        let leader = Health { leader: true, ..replica("a") };
        let well = health(&[leader.clone(), replica("b")], &[], second(102));
        assert_eq!(worst(&well), Verdict::Passed, "{well:?}");
        let gates = vec![Gate { name: "warehouses".to_owned(), open: false }];
        let unready = Health { ready: false, spool: None, gates, now: second(200), ..replica("b") };
        let ill = health(&[unready], &["replica c: no answer in time".to_owned()], second(100));
        assert_eq!(checks(&ill, Verdict::Failed), ["replicas"]);
        assert!(ill[0].message.contains("b waits for warehouses; replica c"), "{ill:?}");
        assert_eq!(checks(&ill, Verdict::Warning), ["leader", "spool", "clock"]);
        assert_eq!(checks(&health(&[leader.clone(), leader], &[], second(100)), Verdict::Warning), ["leader"]);
    }

    #[test]
    fn receivers_that_are_not_used_as_they_should_be_are_named() {
        let past = |times: &[i64], outcome: &str| -> Vec<Past> {
            times.iter().map(|time| Past { time: second(*time), outcome: outcome.to_owned() }).collect()
        };
        let receiver = |past: Vec<Past>| Receiver {
            project: "northwind".to_owned(),
            name: "quay".to_owned(),
            warehouses: 1,
            last: past.last().map(|past| past.time),
            past,
            ..Receiver::default()
        };
        let found = |receiver: Receiver, records: &[Record], now| {
            checks(&receivers(&[receiver], records, second(0), second(now)), Verdict::Warning)
        };
        assert!(found(receiver(past(&[10, 20, 30, 40, 50], "refreshed")), &[], 60).is_empty());
        assert_eq!(found(receiver(Vec::new()), &[], 60), ["called"]);
        assert_eq!(found(Receiver { warehouses: 0, ..receiver(past(&[1], "ignored")) }, &[], 2), ["scope"]);
        assert_eq!(found(receiver(past(&[1, 2], "unauthorized")), &[], 3), ["accepted"]);
        assert_eq!(found(receiver(past(&[10, 20, 30, 40, 50], "refreshed")), &[], 4000), ["silence"]);
        let stale =
            Record { project: "northwind".into(), receiver: "quay".into(), previous_url: true, ..Record::default() };
        assert_eq!(found(receiver(past(&[1], "refreshed")), &[stale], 2), ["url"]);
    }
}
