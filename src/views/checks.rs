//! Is everything as it should be, as far as the replicas know: one list for the page, the JSON and `quayside check`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::model::{Check, Checks, Group, Health, Notification, Receiver, Receivers, Remark, Replicas, Verdict};
use super::silence;
use crate::domain::shard::Shard;
use crate::journal::record::{Record, State};
use crate::journal::words::{clock, receiver_name};

/// Clocks further apart than this make times hard to compare.
const MOST_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Names that a list of examples holds at most.
const EXAMPLES: usize = 3;

impl Check {
    /// All is well.
    #[must_use]
    pub fn passed(group: Group, check: &str, message: impl Into<String>) -> Self {
        Self { group, check: check.to_owned(), message: message.into(), ..Self::default() }
    }

    /// It could not be looked at.
    #[must_use]
    pub fn skipped(group: Group, check: &str, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, ..Self::passed(group, check, message) }
    }

    /// It works, but not as one would wish.
    #[must_use]
    pub fn warning(group: Group, check: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self { verdict: Verdict::Warning, remedy: remedy.to_owned(), ..Self::passed(group, check, message) }
    }

    /// Pushes are lost or refused because of it.
    #[must_use]
    pub fn failed(group: Group, check: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self { verdict: Verdict::Failed, remedy: remedy.to_owned(), ..Self::passed(group, check, message) }
    }
}

/// The worst of all.
#[must_use]
pub fn worst(checks: &[Check]) -> Verdict {
    checks.iter().map(|check| check.verdict).max().unwrap_or_default()
}

/// The first few of these names, and how many more there are.
#[must_use]
pub fn examples(names: &[String]) -> String {
    let shown = names.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(EXAMPLES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Everything that the replicas know of themselves, of the receivers and of what was delivered.
#[must_use]
pub fn of(replicas: &Replicas, receivers: &Receivers, records: &[Record], now: Timestamp) -> Checks {
    let mut checks = health(&replicas.replicas, &replicas.problems, now);
    checks.extend(remarks(&receivers.remarks));
    checks.extend(notifications(&receivers.notifications));
    checks.extend(self::receivers(&receivers.receivers, records, receivers.since, now));
    checks.extend(kargo(records));
    checks.sort_by_key(|check| check.group);
    Checks { checks }
}

/// Receivers that are not served, or are and deserve attention: what their conditions say.
fn remarks(remarks: &[Remark]) -> Vec<Check> {
    let check = |Remark { project, name, declared_in, message, served, .. }: &Remark| {
        let message = format!("{declared_in}: {}: {message}", receiver_name(project, name));
        if *served {
            Check::warning(Group::Receivers, "remark", message, "It is served; see to what the message names.")
        } else {
            let remedy = "Mend what the message names; the URL is published once it is.";
            Check::failed(Group::Receivers, "served", message, remedy)
        }
    };
    remarks.iter().map(check).collect()
}

/// What registrations say about their notifications.
fn notifications(notifications: &[Notification]) -> Vec<Check> {
    let in_trouble = notifications.iter().filter(|notification| !notification.message.is_empty());
    let check = |Notification { registration, repository, works, message, .. }: &Notification| {
        let of = if repository.is_empty() { String::new() } else { format!(": {repository}") };
        let message = format!("registration {registration}{of}: {message}");
        let remedy = "kubectl describe registration shows every repository in its status.";
        if *works {
            Check::warning(Group::Receivers, "notification", message, remedy)
        } else {
            Check::failed(Group::Receivers, "notification", message, remedy)
        }
    };
    in_trouble.map(check).collect()
}

/// What Kargo has done with the refreshes that are remembered: the last one of each object counts.
fn kargo(records: &[Record]) -> Vec<Check> {
    let mut last: BTreeMap<(&str, &str, &str), (Timestamp, State, &str)> = BTreeMap::new();
    for record in records {
        for refresh in &record.refreshes {
            let of = last.entry((&refresh.kind, &refresh.namespace, &refresh.name)).or_default();
            if record.time >= of.0 {
                *of = (record.time, refresh.state, &refresh.because);
            }
        }
    }
    let of_state = |is_it: fn(State, &str) -> bool| -> Vec<String> {
        let those = last.iter().filter(|(_, (_, state, because))| is_it(*state, because));
        let name = |((_, namespace, name), (.., because)): (&(&str, &str, &str), &(Timestamp, State, &str))| {
            if because.is_empty() { format!("{namespace}/{name}") } else { format!("{namespace}/{name} ({because})") }
        };
        those.map(name).collect()
    };
    let mut checks = Vec::new();
    let mut fail = |check, is_it, what: &str, remedy| {
        let names = of_state(is_it);
        if !names.is_empty() {
            checks.push(Check::failed(Group::Warehouses, check, format!("{what}: {}", examples(&names)), remedy));
        }
    };
    fail(
        "handled",
        |state, _| state == State::NotHandled,
        "Kargo does not take the refresh up",
        "See whether Kargo's controller runs, and for a sharded Warehouse the controller of its shard.",
    );
    fail(
        "discovered",
        |state, because| state == State::NotLooked || state == State::Handled && !because.is_empty(),
        "Kargo's discovery failed",
        "Mend what the message names: the registry, its certificate, or the credentials that Kargo has for it.",
    );
    fail(
        "written",
        |state, _| state == State::Owed,
        "the refresh is not written yet",
        "The message has the API server's answer; most often the right to patch Warehouses is missing.",
    );
    let handled = last.values().filter(|(_, state, _)| *state >= State::Handled && *state != State::NotHandled).count();
    if checks.is_empty() && handled > 0 {
        checks.push(Check::passed(
            Group::Warehouses,
            "handled",
            format!("Kargo took up the last refresh of {handled} object(s)"),
        ));
    }
    checks
}

/// Readiness, the leader, the spool and the clocks.
fn health(replicas: &[Health], problems: &[String], now: Timestamp) -> Vec<Check> {
    let mut findings = Vec::new();
    let mut find = |finding| findings.push(finding);
    let names = |passes: fn(&Health) -> bool| {
        replicas.iter().filter(|it| passes(it)).map(|it| it.replica.clone()).collect::<Vec<_>>().join(", ")
    };
    if problems.is_empty() && replicas.iter().all(|replica| replica.ready) {
        find(Check::passed(Group::Cluster, "replicas", format!("{} ready", replicas.len())));
    } else {
        let unready = replicas.iter().filter(|replica| !replica.ready).map(|replica| {
            let closed: Vec<&str> =
                replica.gates.iter().filter(|gate| !gate.open).map(|gate| gate.name.as_str()).collect();
            format!("{} waits for {}", replica.replica, closed.join(", "))
        });
        let all: Vec<String> = unready.chain(problems.iter().cloned()).collect();
        let remedy = "Read the replica's log; a gate that stays closed names what cannot be listed.";
        find(Check::failed(Group::Cluster, "replicas", all.join("; "), remedy));
    }
    find(leader(replicas));
    if replicas.iter().all(|replica| replica.spool.is_some()) {
        find(Check::passed(Group::Cluster, "spool", "every replica keeps on disk what it owes"));
    } else {
        let message = format!("without a spool: {}", names(|it| it.spool.is_none()));
        let remedy =
            "Give --spool-dir a directory; without one a push during an outage of the API server is answered 503.";
        find(Check::warning(Group::Cluster, "spool", message, remedy));
    }
    let skew = replicas.iter().map(|replica| replica.now.duration_since(now).abs()).max().unwrap_or_default();
    if skew > MOST_SKEW {
        let message = format!("the clocks of this machine and of a replica are {} s apart", skew.as_secs());
        find(Check::warning(
            Group::Cluster,
            "clock",
            message,
            "Synchronise the clocks; tokens that expire are judged by them.",
        ));
    } else {
        find(Check::passed(Group::Cluster, "clock", "the clocks agree"));
    }
    findings
}

/// Each part of the cluster has one leader.
fn leader(replicas: &[Health]) -> Check {
    let mut leaders: Vec<(&Option<Shard>, Vec<&str>)> = Vec::new();
    for replica in replicas {
        let leads = Some(replica.replica.as_str()).filter(|_| replica.leader);
        match leaders.iter_mut().find(|(shard, _)| **shard == replica.shard) {
            Some((_, names)) => names.extend(leads),
            None => leaders.push((&replica.shard, leads.into_iter().collect())),
        }
    }
    if let Some((_, several)) = leaders.iter().find(|(_, names)| names.len() > 1) {
        let message = format!("several lead: {}", several.join(", "));
        return Check::warning(Group::Cluster, "leader", message, "Give all replicas the same --lease-namespace.");
    }
    match leaders.iter().find(|(_, names)| names.is_empty()) {
        None if !leaders.is_empty() => {
            let names: Vec<_> = leaders.into_iter().flat_map(|(_, names)| names).collect();
            let verb = if names.len() == 1 { "leads" } else { "lead" };
            Check::passed(Group::Cluster, "leader", format!("{} {verb}", names.join(" and ")))
        }
        without => {
            let shard = without.and_then(|(shard, _)| shard.as_ref());
            let of = shard.map(|shard| format!(" of those that serve {shard}")).unwrap_or_default();
            Check::warning(
                Group::Cluster,
                "leader",
                format!("no replica{of} leads, so no status is written"),
                "See the rights on leases in the namespace of Quayside; another replica takes over within 15 s. Installations \
                 that share a cluster need a namespace each.",
            )
        }
    }
}

/// Receivers that senders do not use as they should.
fn receivers(receivers: &[Receiver], records: &[Record], since: Timestamp, now: Timestamp) -> Vec<Check> {
    let mut findings = Vec::new();
    for receiver in receivers {
        let name = receiver_name(&receiver.project, &receiver.name);
        let mut warn = |check, message: String, remedy| {
            findings.push(Check::warning(Group::Receivers, check, message, remedy));
        };
        if receiver.warehouses == 0 {
            let remedy = "Create a Warehouse in the project, or widen the annotations that narrow the receiver down.";
            warn("scope", format!("{name}: no Warehouse is within its reach"), remedy);
        }
        let refused = |outcome: &str| {
            matches!(outcome, "unauthorized" | "invalid_body" | "method_not_allowed" | "too_large" | "too_slow")
        };
        if receiver.last.is_none() {
            let message = format!("{name}: never called since {}", clock(since));
            warn(
                "called",
                message,
                "Register its URL with the sender: kubectl get projectconfig -o yaml, status.webhookReceivers.",
            );
            continue;
        }
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
        let calls: Vec<Timestamp> = receiver.past.iter().map(|past| past.time).collect();
        if let Some(last) = silence::since(&calls, now) {
            let message = format!("{name}: silent since {}, longer than usual", clock(last));
            let remedy =
                "See in the sender whether the webhook is still enabled; Quay disables one after repeated failures.";
            warn("silence", message, remedy);
        }
    }
    if findings.is_empty() && !receivers.is_empty() {
        findings.push(Check::passed(
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
    use crate::journal::record::Refresh;
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

    fn checks(findings: &[Check], verdict: Verdict) -> Vec<&str> {
        findings.iter().filter(|finding| finding.verdict == verdict).map(|finding| finding.check.as_str()).collect()
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
        assert_eq!(checks(&health(&[leader.clone(), leader.clone()], &[], second(100)), Verdict::Warning), ["leader"]);

        // Two installations that share a cluster have a leader each.
        let shard = Some(Shard::new(vec!["web".parse().unwrap()], Vec::new(), Some(false)).unwrap());
        let other = Health { shard: shard.clone(), leader: true, ..replica("c") };
        let well = health(&[leader.clone(), other], &[], second(100));
        assert!(well.iter().any(|check| check.message == "a and c lead"), "{well:?}");
        let ill = health(&[leader, Health { shard, ..replica("c") }], &[], second(100));
        assert_eq!(checks(&ill, Verdict::Warning), ["leader"]);
        assert!(ill[1].message.contains("of those that serve the namespaces web"), "{ill:?}");
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
            let found = receivers(&[receiver], records, second(0), second(now));
            checks(&found, Verdict::Warning).into_iter().map(str::to_owned).collect::<Vec<_>>()
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

    #[test]
    fn what_kargo_does_with_the_last_refresh_counts() {
        let record = |time, state, because: &str| Record {
            time: second(time),
            refreshes: vec![Refresh {
                kind: "Warehouse".to_owned(),
                namespace: "northwind".to_owned(),
                name: "app".to_owned(),
                state,
                because: because.to_owned(),
                ..Refresh::default()
            }],
            ..Record::default()
        };
        assert!(kargo(&[]).is_empty());
        let failing = record(1, State::NotLooked, "503");
        let found = kargo(std::slice::from_ref(&failing));
        assert_eq!((found[0].check.as_str(), found[0].verdict), ("discovered", Verdict::Failed));
        assert!(found[0].message.ends_with("northwind/app (503)"), "{found:?}");
        let mended = kargo(&[record(2, State::Seen, ""), failing]);
        assert_eq!((mended.len(), worst(&mended)), (1, Verdict::Passed));
        assert_eq!(kargo(&[record(1, State::Owed, "403")])[0].check, "written");
        assert_eq!(kargo(&[record(1, State::NotHandled, "")])[0].check, "handled");
    }

    #[test]
    fn remarks_fail_unless_the_receiver_is_served() {
        let remark =
            |served| Remark { name: "quay".to_owned(), message: "empty".to_owned(), served, ..Remark::default() };
        assert_eq!(worst(&remarks(&[remark(true)])), Verdict::Warning);
        assert_eq!(worst(&remarks(&[remark(false)])), Verdict::Failed);
        assert_eq!(worst(&[]), Verdict::Passed);
    }
}
