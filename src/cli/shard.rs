//! The flags by which several installations share a cluster.

use clap::Args;

use super::Switch;
use crate::domain::shard::{Pattern, Shard};

/// Which part of the cluster is served.
#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    /// Serve these namespaces only, so that several installations can share a cluster.
    ///
    /// Each is a name, or the beginning of names with `*` behind it: `web,team-a-*`. Objects of other namespaces are
    /// neither kept nor written, and their URLs answer 404. Can be given several times, or separated by commas.
    /// Default: all namespaces.
    #[arg(long, env = "QUAYSIDE_NAMESPACES", value_name = "NAMESPACE", value_delimiter = ',')]
    namespaces: Vec<Pattern>,

    /// Do not serve these namespaces, written as in `--namespaces`.
    ///
    /// The installation for all the others: what one has in `--namespaces`, another one has here.
    #[arg(long, env = "QUAYSIDE_EXCLUDED_NAMESPACES", value_name = "NAMESPACE", value_delimiter = ',')]
    excluded_namespaces: Vec<Pattern>,

    /// Whether to serve the receivers of the ClusterConfig and of ClusterReceivers, and ClusterRegistrations.
    ///
    /// They reach the namespaces of the installation that serves them, and no others. One installation of a cluster
    /// should serve them. Required with `--namespaces` or `--excluded-namespaces`, else on.
    #[arg(long, env = "QUAYSIDE_CLUSTER_RECEIVERS", value_name = "on|off")]
    cluster_receivers: Option<Switch>,
}

impl ShardArgs {
    pub(super) fn shard(self) -> anyhow::Result<Shard> {
        let cluster_receivers = self.cluster_receivers.map(|switch| switch == Switch::On);
        Ok(Shard::new(self.namespaces, self.excluded_namespaces, cluster_receivers)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        shard: ShardArgs,
    }

    fn shard(flags: &[&str]) -> Result<String, String> {
        let flags = Flags::try_parse_from([&["test"], flags].concat()).map_err(|error| error.to_string())?;
        flags.shard.shard().map(|shard| shard.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_of_the_cluster_is_named_or_left_out_and_the_cluster_itself_decided() {
        assert_eq!(shard(&[]).unwrap(), "all namespaces and the receivers of the cluster");
        let flags = ["--namespaces", "web,team-a-*", "--cluster-receivers", "off"];
        assert_eq!(shard(&flags).unwrap(), "the namespaces web, team-a-*");
        let flags = ["--excluded-namespaces", "web", "--excluded-namespaces", "team-a-*", "--cluster-receivers=on"];
        assert_eq!(shard(&flags).unwrap(), "all namespaces without web, team-a-* and the receivers of the cluster");
        assert!(shard(&["--namespaces", "web"]).unwrap_err().contains("say on or off"));
        assert!(shard(&["--namespaces", "We b"]).unwrap_err().contains("write the name of a namespace"));
        let both = ["--namespaces", "web", "--excluded-namespaces", "web", "--cluster-receivers", "on"];
        assert!(shard(&both).unwrap_err().contains("leave one of the two out"));
    }
}
