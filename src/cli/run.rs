//! `quayside run`: the operator.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::receivers::Receivers;
use super::{AliasArgs, Outcome, Switch, block_on, duration};
use crate::app;
use crate::domain::path::BaseUrl;
use crate::process::memory;
use crate::process::telemetry::{self, LogFormat, LogLevel};
use crate::pursuit::Rules;
use crate::registration;
use crate::spool::Place;

/// Run the operator: watch configurations, serve their receivers, refresh Warehouses.
///
/// Every flag can be given as an environment variable instead. SIGTERM drains: the replica becomes unready, goes on
/// accepting for the drain delay, finishes its requests and writes the refreshes it owes.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  quayside run --base-url https://hooks.example.com
  quayside run --base-url https://kargo.example.com/webhooks --kubeconfig ~/.kube/config --log-format text")]
pub(super) struct Args {
    /// The public URL under which senders reach the receivers: scheme, host, port and path, without a query.
    ///
    /// It becomes part of every URL, so a change means registering every webhook again. Beside Kargo, give the one that
    /// Kargo uses.
    #[arg(long, env = "EXTERNAL_WEBHOOK_SERVER_BASE_URL", value_name = "URL", hide_env_values = true)]
    base_url: String,

    /// Address and port for senders.
    #[arg(long, env = "QUAYSIDE_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    #[command(flatten)]
    tls: super::tls::Tls,

    /// Address and port for /livez, /readyz and /metrics. Do not expose it to senders.
    #[arg(long, env = "QUAYSIDE_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,

    /// Address and port of the views: the page, and what quayside deliveries, why and ui ask for; `none` for nowhere.
    ///
    /// On the loopback, the right to port-forward to the Pod is the right to look.
    #[arg(long, env = "QUAYSIDE_VIEWS_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:9091", value_parser = views)]
    views_listen: Views,

    /// The kubeconfig of the cluster. Default: the file in KUBECONFIG, else the Pod's ServiceAccount.
    #[arg(long, env = "QUAYSIDE_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    #[command(flatten)]
    receivers: Receivers,

    #[command(flatten)]
    shard: super::shard::ShardArgs,

    /// The namespace of the Lease by which the replicas agree who writes statuses. Default: the one in `POD_NAMESPACE`.
    ///
    /// It also records when a replica last lived. Without either there is no election and no catch-up: run one replica.
    #[arg(long, env = "QUAYSIDE_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    lease_namespace: Option<String>,

    /// After no replica has lived for longer than this, refresh every Warehouse that a receiver could have reached.
    ///
    /// Senders may have given up on pushes meanwhile: Quay does within a second when three wait. Shorter times are
    /// added up over restarts. 0 turns it off.
    #[arg(long, env = "QUAYSIDE_CATCH_UP_AFTER", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    catch_up_after: Duration,

    /// How many Warehouses a second are then refreshed.
    #[arg(long, env = "QUAYSIDE_CATCH_UP_RATE", value_name = "N", default_value = "5",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    catch_up_rate: u16,

    /// Whether to ask Kargo again when it took a refresh up without looking, or does not list what was pushed.
    ///
    /// Kargo forgets a refresh even when a registry did not answer it. Either way metrics and logs say how each push
    /// ended.
    #[arg(long, env = "QUAYSIDE_FOLLOW_UP", value_name = "on|off", default_value = "on")]
    follow_up: Switch,

    /// How long a push is followed up at most.
    #[arg(long, env = "QUAYSIDE_FOLLOW_UP_FOR", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    follow_up_for: Duration,

    /// The first pause before Kargo is asked again; all others are multiples of it. For tests.
    #[arg(long, hide = true, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    follow_up_pause: Duration,

    /// How often each repository of a registration is looked at; all other times of registrations are multiples of it.
    /// For tests.
    #[arg(long, hide = true, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    registration_beat: Duration,

    #[command(flatten)]
    aliases: AliasArgs,

    /// How long an answer waits for its refreshes to be written.
    ///
    /// Then it is 202, or 503 without a spool, and the refresh goes on. While the API server is known to be away, it is
    /// 202 at once. Keep it well below the 10 s that Quay waits.
    #[arg(long, env = "QUAYSIDE_ACK_DEADLINE", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    ack_deadline: Duration,

    /// How many refreshes are written at a time.
    ///
    /// Those of one Warehouse are always written one after the other.
    #[arg(long, env = "QUAYSIDE_REFRESH_CONCURRENCY", value_name = "N", default_value = "32",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    refresh_concurrency: u16,

    /// Whether to write, beside a refresh, the annotation `quayside.dev/last-refresh-cause`.
    ///
    /// It names delivery, receiver and event, or what else made Quayside refresh the object. Off leaves what is there.
    #[arg(long, env = "QUAYSIDE_LAST_REFRESH_CAUSE", value_name = "on|off", default_value = "on")]
    last_refresh_cause: Switch,

    /// The directory that keeps refreshes which are owed, and requests that arrive before the receivers are loaded.
    ///
    /// A push whose refresh is not written by the acknowledgement deadline is then answered 202 instead of 503, and
    /// survives the process. It must belong to this process alone. Default: the first that can be used of
    /// `$XDG_STATE_HOME/quayside`, `~/.local/state/quayside` and `/var/lib/quayside`, else a temporary one. `none`:
    /// what is owed lives in memory only.
    #[arg(long, env = "QUAYSIDE_SPOOL_DIR", value_name = "DIRECTORY")]
    spool_dir: Option<PathBuf>,

    /// How much memory the process may use, from which the bounds of connections, heads and bodies are derived.
    ///
    /// In bytes, or with Ki, Mi or Gi. Default: the memory limit of the Pod (control groups, version 1 or 2), else
    /// 256Mi. It bounds what senders can occupy; it does not bound the tables, which grow with the number of
    /// Warehouses.
    #[arg(long, env = "QUAYSIDE_MEMORY_BUDGET", value_name = "BYTES", value_parser = memory::parse)]
    memory_budget: Option<u64>,

    /// How much memory the records of deliveries may take; 0 keeps none. For tests.
    #[arg(long, hide = true, value_name = "BYTES", default_value = "16Mi", value_parser = memory::bytes)]
    journal_bytes: u64,

    /// After SIGTERM, how long to go on accepting so that load balancers notice.
    #[arg(long, env = "QUAYSIDE_DRAIN_DELAY", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    drain_delay: Duration,

    /// After the drain delay, how long requests in flight may take, and then again as long for owed refreshes.
    #[arg(long, env = "QUAYSIDE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "15s", value_parser = duration)]
    drain_timeout: Duration,

    /// How log lines look.
    #[arg(long, env = "QUAYSIDE_LOG_FORMAT", value_name = "FORMAT", default_value = "json")]
    log_format: LogFormat,

    /// How much is logged.
    #[arg(long, env = "QUAYSIDE_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: LogLevel,
}

/// Where the views are served, if anywhere.
#[derive(Clone, Copy, Debug)]
struct Views(Option<SocketAddr>);

fn views(text: &str) -> Result<Views, String> {
    if text == "none" {
        return Ok(Views(None));
    }
    text.parse()
        .map(|address| Views(Some(address)))
        .map_err(|_| "write an address such as 127.0.0.1:9091, or none".to_owned())
}

pub(super) fn run(args: Args) -> Outcome {
    telemetry::install(args.log_format, args.log_level)?;
    #[cfg(target_os = "linux")]
    if let Err(error) = memory::without_huge_pages() {
        tracing::debug!(%error, "huge pages stay on");
    }
    // Many systems allow 1024 open files unless a program asks for more, and each connection is one.
    let granted = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: granted, maximum: granted }) {
        tracing::warn!(%error, "failed to raise the limit of open files");
    }
    let lease_namespace = lease_namespace(args.lease_namespace);
    let follow_up_for = (args.follow_up == Switch::On).then_some(args.follow_up_for);
    let config = app::Config {
        follow_up: Rules::new(args.follow_up_pause, follow_up_for, lease_namespace.is_none()),
        listen: args.listen,
        admin_listen: args.admin_listen,
        views_listen: args.views_listen.0,
        tls_reload_interval: args.tls.tls_reload_interval,
        proxies: args.tls.trusted()?,
        tls: args.tls.files()?,
        // Parsed here, because clap would repeat a refused value, which may hold a password.
        base_url: BaseUrl::parse(&args.base_url)?,
        kubeconfig: args.kubeconfig,
        lease_namespace,
        replica: replica(),
        catch_up_after: args.catch_up_after,
        catch_up_rate: args.catch_up_rate.into(),
        registrations: registration::Rules { beat: args.registration_beat },
        registry_aliases: args.aliases.all(),
        shard: args.shard.shard()?,
        defaults: args.receivers.defaults(),
        system_namespace: args.receivers.system_namespace,
        ack_deadline: args.ack_deadline,
        refresh_concurrency: args.refresh_concurrency.into(),
        last_refresh_cause: args.last_refresh_cause == Switch::On,
        spool: spool(args.spool_dir, |name| std::env::var_os(name)),
        memory_budget: args.memory_budget.or_else(memory::limit).unwrap_or(memory::DEFAULT_BUDGET),
        journal_bytes: usize::try_from(args.journal_bytes).unwrap_or(usize::MAX),
        drain_delay: args.drain_delay,
        drain_timeout: args.drain_timeout,
    };
    block_on(app::run(config))??;
    Ok(ExitCode::SUCCESS)
}

/// Where the spool is to be: where the flag says, else in a state folder of the user or of the system.
fn spool(given: Option<PathBuf>, variable: impl Fn(&str) -> Option<OsString>) -> Place {
    match given.filter(|given| !given.as_os_str().is_empty()) {
        Some(given) if given.as_os_str() == "none" => Place::Nowhere,
        Some(given) => Place::At(given),
        None => {
            // A relative path would depend on where the process was started, so the standard tells to ignore it.
            let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
            let users = folder("HOME").map(|home| home.join(".local/state"));
            let folders = [folder("XDG_STATE_HOME"), users, Some(PathBuf::from("/var/lib"))];
            Place::FirstOf(folders.into_iter().flatten().map(|folder| folder.join("quayside")).collect())
        }
    }
}

/// The namespace of the Lease, if there is to be one.
fn lease_namespace(given: Option<String>) -> Option<String> {
    given.or_else(|| std::env::var("POD_NAMESPACE").ok()).filter(|namespace| !namespace.is_empty())
}

/// What this replica is called, for people: in a Pod, the Pod's name.
fn replica() -> String {
    let host = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let host = host.map(|host| host.trim().to_owned()).ok().filter(|host| !host.is_empty());
    host.unwrap_or_else(|| "quayside".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spool_is_where_the_flag_says_or_in_a_state_folder() {
        let spool = |given: Option<&str>, variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            spool(given.map(PathBuf::from), variable)
        };
        assert_eq!(spool(Some("none"), &[]), Place::Nowhere);
        assert_eq!(spool(Some("./none"), &[]), Place::At(PathBuf::from("./none")));
        let first_of = |paths: &[&str]| Place::FirstOf(paths.iter().map(PathBuf::from).collect());
        assert_eq!(spool(None, &[]), first_of(&["/var/lib/quayside"]));
        let both = [("HOME", "/home/a"), ("XDG_STATE_HOME", "/state")];
        assert_eq!(
            spool(Some(""), &both),
            first_of(&["/state/quayside", "/home/a/.local/state/quayside", "/var/lib/quayside"])
        );
        assert_eq!(spool(None, &[("XDG_STATE_HOME", "state")]), first_of(&["/var/lib/quayside"]), "not relative");
    }
}
