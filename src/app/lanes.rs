//! Threads that serve senders, each with a runtime of its own.
//!
//! A push is read, matched, written to the API server and answered on one thread. On a runtime shared by several
//! threads every one of these steps wakes another thread, which on a small machine costs more than the steps
//! themselves.

use std::thread;

use anyhow::Context;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::process::supervisor::Supervisor;

/// More threads than this gain nothing: the API server is the bottleneck long before.
const MAX_LANES: usize = 8;

/// The threads. They end when `stop` is cancelled; what still runs on them is dropped.
pub(super) struct Lanes {
    handles: Vec<Handle>,
}

impl Lanes {
    /// One thread for each processor.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(supervisor: &Supervisor, stop: &CancellationToken) -> anyhow::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from).min(MAX_LANES);
        let handles = (0..count).map(|lane| start(lane, supervisor, stop)).collect::<anyhow::Result<_>>()?;
        Ok(Self { handles })
    }

    /// The runtimes.
    #[must_use]
    pub(super) fn handles(&self) -> &[Handle] {
        &self.handles
    }
}

fn start(lane: usize, supervisor: &Supervisor, stop: &CancellationToken) -> anyhow::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build().context("failed to start a runtime")?;
    let handle = runtime.handle().clone();
    let stopped = stop.clone().cancelled_owned();
    thread::Builder::new()
        .name(format!("lane-{lane}"))
        .spawn(supervisor.thread("lane", stop, move || runtime.block_on(stopped)))
        .context("failed to start a thread")?;
    Ok(handle)
}
