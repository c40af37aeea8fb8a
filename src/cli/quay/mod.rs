//! `quayside quay`: the webhooks of repositories on a Quay, without a cluster.

mod access;
mod progress;
mod report;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand, ValueEnum};

use super::{FAILED, Outcome, block_on, note, print, read};
use crate::hooks::HookUrl;
use access::Access;
use work::{Action, Ours};

/// List, register, test, heal and remove the webhooks of repositories on a Quay, once and without a cluster.
///
/// The token is an OAuth token of an application with the scope repo:admin, made by a user who is admin of the
/// repositories; robot accounts cannot do this. Each command first asks what the token may do, and says so.
///
/// Exit code 0 when all was done, 1 when it was not for a repository, 2 when an input or the token cannot be used, or
/// the host does not answer.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  export QUAYSIDE_QUAY_ENDPOINT=https://quay.example.com
  quayside quay list --token-file token --organization northwind
  quayside quay register --token-file token --url-file url --dry-run northwind/storefront 'northwind/*'
  quayside quay test --token-file token northwind/storefront
  quayside quay heal --token-file token --organization northwind
  quayside quay remove --token-file token --url-file old-url --organization northwind")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all webhooks, whoever made them: id, title, event, failures, state, and a fingerprint of the URL
    List(ListArgs),
    /// Register the URL where it is not registered, and remove doubles of the same title and URL
    Register(RegisterArgs),
    /// Let Quay send a test event to each webhook of ours
    Test(SelectArgs),
    /// Enable the webhooks of ours that have failures; those without are left alone
    Heal(SelectArgs),
    /// Remove the webhooks of ours
    Remove(SelectArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    form: FormArgs,

    #[command(flatten)]
    ours: OursArgs,
}

#[derive(Debug, clap::Args)]
struct RegisterArgs {
    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    form: FormArgs,

    #[command(flatten)]
    ours: OursArgs,

    /// What is announced; can be given several times.
    #[arg(long = "event", value_name = "EVENT", default_value = "repo_push",
          value_parser = ["repo_push", "repo_mirror_sync_success"])]
    events: Vec<String>,

    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct SelectArgs {
    #[command(flatten)]
    access: Access,

    #[command(flatten)]
    form: FormArgs,

    #[command(flatten)]
    ours: OursArgs,

    /// Take every webhook with the URL, whatever its title: also what was registered by hand.
    #[arg(long)]
    any_title: bool,

    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct FormArgs {
    /// The form of the output.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "table")]
    output: Form,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Table,
    /// For scripts.
    Json,
}

/// Which webhooks are ours: those of the title, and of the URL if one is given.
#[derive(Debug, clap::Args)]
struct OursArgs {
    /// The receiver's URL, as it stands in the status. It is a credential: prefer --url-file or the environment,
    /// because others on the machine can see arguments.
    #[arg(long, env = "QUAYSIDE_URL", hide_env_values = true, value_name = "URL", conflicts_with = "url_file")]
    url: Option<String>,

    /// The file that holds the receiver's URL; - is standard input.
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,

    /// The title of the webhooks.
    #[arg(long, value_name = "TEXT", default_value = "Quayside")]
    title: String,
}

impl OursArgs {
    fn ours(&self, any_title: bool) -> anyhow::Result<Ours> {
        let url = match (&self.url_file, &self.url) {
            (Some(path), _) => Some(String::from_utf8(read(path)?).context("the file of the URL is not text")?),
            (None, url) => url.clone(),
        };
        let url = url.map(|url| HookUrl::parse(&url)).transpose()?;
        ensure!(
            (1..=255).contains(&self.title.chars().count()),
            "--title must have 1 to 255 characters, as Quay demands"
        );
        ensure!(!any_title || url.is_some(), "--any-title needs the URL: give --url-file");
        Ok(Ours { url, title: (!any_title).then(|| self.title.clone()) })
    }
}

pub(super) fn run(args: &Args) -> Outcome {
    let (access, form, ours, action, is_dry) = match &args.command {
        Command::List(args) => (&args.access, &args.form, args.ours.ours(false)?, Action::List, false),
        Command::Register(args) => {
            let ours = args.ours.ours(false)?;
            let url = ours.url.clone().context("give the receiver's URL with --url-file, or in QUAYSIDE_URL")?;
            let action = Action::Register { url, title: args.ours.title.clone(), events: args.events.clone() };
            (&args.access, &args.form, ours, action, args.dry_run)
        }
        Command::Test(args) => (&args.access, &args.form, args.ours.ours(args.any_title)?, Action::Test, args.dry_run),
        Command::Heal(args) => (&args.access, &args.form, args.ours.ours(args.any_title)?, Action::Heal, args.dry_run),
        Command::Remove(args) => {
            (&args.access, &args.form, args.ours.ours(args.any_title)?, Action::Remove, args.dry_run)
        }
    };
    let host = access.host()?;
    let rows = block_on(async {
        let repositories = access.repositories(&host).await?;
        work::run(&host, &repositories, &work::Work { action, ours, is_dry }).await
    })??;
    print(&match form.output {
        Form::Json => format!("{}\n", serde_json::to_string_pretty(&report::json(&rows, is_dry))?),
        Form::Table if matches!(args.command, Command::List(_)) => report::hooks(&rows),
        Form::Table => report::outcomes(&rows),
    });
    for line in report::summary(&rows) {
        note(&line);
    }
    Ok(if rows.iter().any(work::Row::has_failed) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}
