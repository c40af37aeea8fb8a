#!/usr/bin/env bash
# Ends the cluster that up.sh started in DIR, and removes DIR.
#
#   down.sh DIR
#
# With the first process of its namespaces everything in there goes: processes, mounts, interfaces, rules. Only control groups
# and files are left to remove. Safe to run when nothing is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=addresses.sh
source "$here/addresses.sh"
[[ $# == 1 ]] || {
  echo "usage: down.sh DIR" >&2
  exit 2
}
[[ -d $1 ]] || exit 0
dir=$(cd "$1" && pwd)
if rmdir "$dir" 2>/dev/null; then exit; fi # up.sh refused before it put anything in
[[ -e $dir/pid || -e $dir/kubeconfig ]] || {
  echo "cluster: error: $dir is not the directory of a cluster; nothing was removed" >&2
  exit 1
}

# Its number may belong to another process by now: ours runs unshare with our directory.
ours() { [[ -n $1 && $(tr "\0" " " <"/proc/$1/cmdline" 2>/dev/null) == *"node.sh $dir "* ]]; }
outer=$(cat "$dir/pid" 2>/dev/null || true)
if ours "$outer"; then
  kill -KILL "$outer" # takes its child along (unshare --kill-child), and the kernel everything below
  deadline=$((SECONDS + 30))
  while pgrep -f -- "node.sh $dir " >/dev/null; do
    ((SECONDS < deadline)) || {
      echo "cluster: error: the cluster in $dir does not end; see: pgrep -af '$dir'" >&2
      exit 1
    }
    sleep 0.1
  done
fi
# Connections that were cut keep the network namespace for a minute or so; the cable need not wait for that.
if [[ -n $outer ]]; then ip link delete "$cable" 2>/dev/null || true; fi

deadline=$((SECONDS + 10))
groups() { find /sys/fs/cgroup -depth -type d -path '*kubepods*' 2>/dev/null; }
while [[ -n $(groups) ]] && ((SECONDS < deadline)); do
  groups | xargs -r rmdir 2>/dev/null || sleep 0.1 # a group is busy until its last process is reaped
done
# Where node.sh mounted something; a directory that is in use for something else is not empty.
rmdir --ignore-fail-on-non-empty /var/lib/cni /var/lib/kubelet 2>/dev/null || true
rm -rf "$dir"
