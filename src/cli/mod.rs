//! The command line.
//!
//! `run`, `crd diff` and the subcommands of `look` ask a cluster; the others work without one. Exit codes: 0 is
//! success, 1 an answer or outcome that is not, 2 an input that cannot be used.

mod cluster;
mod crd;
mod explain;
mod look;
mod manifests;
mod quay;
mod receivers;
#[cfg(test)]
mod reference;
mod run;
mod send;
mod shard;
mod tls;
mod url;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::domain::alias::HostAliases;
use crate::views::model::Verdict;

/// Turns webhooks of registries and Git hosts into refreshes of Kargo Warehouses.
#[derive(Debug, Parser)]
#[command(name = "quayside", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Crd(crd::Args),
    Url(url::Args),
    Send(send::Args),
    Explain(explain::Args),
    Quay(quay::Args),
    Deliveries(look::deliveries::Args),
    Delivery(look::delivery::Args),
    Why(look::why::Args),
    Check(look::check::Args),
    Ui(look::ui::Args),
}

/// Other names of registries.
#[derive(Debug, clap::Args)]
struct AliasArgs {
    /// Another name of a registry: an event for PUSHED also matches subscriptions to PULLED.
    ///
    /// Either is a host, with its port if it has one, and perhaps the beginning of a path. Can be given several times,
    /// or separated by commas. Applies to images and charts in registries, for every receiver.
    #[arg(long = "registry-alias", env = "QUAYSIDE_REGISTRY_ALIASES", value_name = "PUSHED=PULLED",
          value_parser = HostAliases::parse)]
    registry_aliases: Vec<HostAliases>,
}

impl AliasArgs {
    fn all(&self) -> HostAliases {
        self.registry_aliases.iter().cloned().collect()
    }
}

/// The form of the output, where people get no table.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// What a subcommand comes to.
type Outcome = Result<ExitCode, anyhow::Error>;

/// Exit code of an outcome that is not a success.
const FAILED: u8 = 1;
/// Exit code of an input that cannot be used; also clap's.
const UNUSABLE: u8 = 2;

/// The exit code of a subcommand that judges: 0 when all is well, 1 with warnings, 2 with failures.
fn code_of(worst: Verdict) -> ExitCode {
    match worst {
        Verdict::Passed | Verdict::Skipped => ExitCode::SUCCESS,
        Verdict::Warning => ExitCode::from(FAILED),
        Verdict::Failed => ExitCode::from(UNUSABLE),
    }
}

/// Parses the arguments of the process and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" of clap's that belong on standard output with exit code 0.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(UNUSABLE));
        }
    };
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return complain(&anyhow::anyhow!("failed to install the TLS provider"));
    }
    let outcome = match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Crd(args) => crd::run(&args),
        Command::Url(args) => url::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Quay(args) => quay::run(&args),
        Command::Deliveries(args) => look::deliveries::run(&args),
        Command::Delivery(args) => look::delivery::run(&args),
        Command::Why(args) => look::why::run(&args),
        Command::Check(args) => look::check::run(&args),
        Command::Ui(args) => look::ui::run(&args),
    };
    outcome.unwrap_or_else(|error| complain(&error))
}

/// The error and its causes in one line.
fn complain(error: &anyhow::Error) -> ExitCode {
    drop(writeln!(std::io::stderr(), "quayside: {error:#}"));
    ExitCode::from(UNUSABLE)
}

/// Prints to standard output; a reader that went away is not an error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Prints a remark to standard error.
fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "note: {text}"));
}

/// Reads a header as people write it.
fn header(text: &str) -> Result<(http::HeaderName, http::HeaderValue), String> {
    let malformed = || "write a header as 'Name: value'".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(malformed)?;
    let name = name.trim().parse().map_err(|_| malformed())?;
    let value = http::HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| malformed())?;
    Ok((name, value))
}

/// Reads a file, or standard input for `-`.
fn read(path: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read;

    use anyhow::Context;

    if path.as_os_str() == "-" {
        let mut content = Vec::new();
        std::io::stdin().read_to_end(&mut content).context("failed to read standard input")?;
        return Ok(content);
    }
    std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))
}

/// The runtime of a subcommand. One thread is enough: senders have theirs (see `lanes`), and what is left waits for the
/// API server most of the time.
fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    use anyhow::Context;

    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().context("failed to start the runtime")?;
    Ok(runtime.block_on(future))
}

/// Reads a duration such as `2s`, `500ms`, `1m30s` or `0`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    if text == "0" {
        return Ok(std::time::Duration::ZERO);
    }
    let read =
        text.parse::<jiff::SignedDuration>().map_err(|_| "write a duration such as 2s, 500ms or 1m".to_owned())?;
    std::time::Duration::try_from(read).map_err(|_| "a duration must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("2s").unwrap().as_secs(), 2);
        assert_eq!(duration("500ms").unwrap().as_millis(), 500);
        assert_eq!(duration("1m30s").unwrap().as_secs(), 90);
        assert!(duration("0").unwrap().is_zero() && duration("0s").unwrap().is_zero());
        assert!(duration("2").is_err());
        assert!(duration("-2s").is_err());
    }
}
