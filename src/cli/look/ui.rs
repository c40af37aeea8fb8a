//! `quayside ui`: the page, over all replicas, on this machine.

use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::deliveries::follow;
use super::merge_receivers;
use super::replicas::{Replica, Source, ask};
use crate::cli::{Outcome, block_on, note, print};
use crate::http::entrance::Entrance;
use crate::http::memory::Memory;
use crate::http::server;
use crate::journal::newest_first;
use crate::journal::record::Record;
use crate::metrics::connection::ConnectionMetrics;
use crate::views::look::{Look, News};
use crate::views::model::{Deliveries, Receivers, Replicas, Warehouse};
use crate::views::{Filter, Hosts, paths, router, why};

/// For a few browsers.
const MEMORY: u64 = 16 * 1024 * 1024;

/// Serve the page on this machine, over all replicas, and open it in the browser.
///
/// It asks the replicas by port-forward with your kubeconfig and rights, and shows receivers, deliveries and
/// Warehouses. It only reads. End it with Ctrl-C.
#[derive(Debug, Parser)]
pub(in crate::cli) struct Args {
    /// Address and port of the page.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,

    /// Do not open the browser.
    #[arg(long)]
    no_browser: bool,

    #[command(flatten)]
    source: Source,
}

pub(in crate::cli) fn run(args: &Args) -> Outcome {
    block_on(async {
        let replicas = args.source.replicas().await?;
        let listener = server::listen(args.listen)
            .with_context(|| format!("cannot listen on {}; give another --listen", args.listen))?;
        let address = format!("http://{}/", listener.local_addr()?);
        let hosts = if args.listen.ip().is_loopback() { Hosts::Loopback } else { Hosts::Any };
        print(&format!("The page is at {address}\n"));
        if !args.no_browser {
            open(&address);
        }
        let stop = CancellationToken::new();
        let lanes = vec![(Handle::current(), router(Arc::new(Everywhere(replicas)), hosts))];
        let (memory, metrics) = (Memory::new(MEMORY), ConnectionMetrics::default());
        let serving =
            server::serve(listener, Entrance::default(), lanes, memory, metrics, stop.clone(), Duration::ZERO);
        tokio::select! {
            _ = serving => {}
            interrupted = tokio::signal::ctrl_c() => interrupted.context("failed to listen for Ctrl-C")?,
        }
        stop.cancel();
        Ok(ExitCode::SUCCESS)
    })?
}

/// Asks the desktop to open an address. Without a desktop the printed line is enough.
fn open(address: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let silent =
        Command::new(program).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if silent.is_err() {
        note("no browser could be opened; open the address yourself");
    }
}

/// All replicas as if they were one.
struct Everywhere(Vec<Replica>);

impl Everywhere {
    async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> (Vec<T>, Vec<String>) {
        match ask(&self.0, path).await {
            Ok(answers) => answers,
            Err(error) => (Vec::new(), vec![format!("{error:#}")]),
        }
    }
}

impl Look for Everywhere {
    async fn deliveries(&self, filter: &Filter) -> Deliveries {
        let (answers, _) = self.ask::<Deliveries>(&format!("/api/v1/deliveries?{}", filter.query())).await;
        let since = answers.iter().map(|answer| answer.since).min().unwrap_or_default();
        let mut deliveries: Vec<Record> = answers.into_iter().flat_map(|answer| answer.deliveries).collect();
        newest_first(&mut deliveries);
        deliveries.truncate(filter.limit());
        Deliveries { replica: String::new(), since, deliveries }
    }

    async fn delivery(&self, id: &str) -> Option<Record> {
        self.ask(&format!("{}{}", paths::JSON, paths::delivery(id))).await.0.pop()
    }

    async fn receivers(&self) -> Receivers {
        merge_receivers(self.ask("/api/v1/receivers").await.0)
    }

    async fn warehouse(&self, namespace: &str, name: &str) -> Warehouse {
        let (views, _) = self.ask(&format!("{}{}", paths::JSON, paths::warehouse(namespace, name))).await;
        why::merge(views)
    }

    async fn health(&self) -> Replicas {
        let (answers, problems) = self.ask::<Replicas>("/api/v1/health").await;
        Replicas { replicas: answers.into_iter().flat_map(|answer| answer.replicas).collect(), problems }
    }

    fn news(&self) -> BoxStream<'static, News> {
        let news = follow(&self.0, &Filter::default());
        let next = async |mut news: tokio::sync::mpsc::Receiver<Record>| {
            let record = news.recv().await?;
            Some((News::Delivery(Arc::new(record)), news))
        };
        stream::unfold(news, next).boxed()
    }
}
