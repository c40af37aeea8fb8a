//! Logs: JSON or text on standard error.
//!
//! Only our own events are let through below `warn`. The libraries' debug output may quote requests and objects, and
//! with them receiver URLs and Secrets; a client's decoding error quotes the whole answer and is therefore silenced
//! altogether (our own code reports the failure without the text).

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::panics;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for log collectors.
    Json,
    /// Plain text, for people.
    Text,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// One line per delivery and per change of state.
    Info,
    /// Every decision.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Installs the subscriber of the process, and lets it log panics as well.
///
/// # Errors
/// When there is one already.
pub fn install(format: LogFormat, level: LogLevel) -> anyhow::Result<()> {
    let others = if level == LogLevel::Error { "error" } else { "warn" };
    // Our own watches report what kube_runtime does.
    let filter = format!("{others},kube_client=off,kube_runtime=error,quayside={}", level.as_str());
    let filter = EnvFilter::try_new(filter).context("the log filter is a constant")?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("failed to install the log subscriber: {error}"))?;
    panics::log_all();
    Ok(())
}
