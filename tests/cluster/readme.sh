#!/usr/bin/env bash
# `make readme`: "Your first receiver" of README.md on a fresh cluster of its own, command by command as it stands there, with the time
# of each step. Fails if a command fails, or if the Warehouse is not refreshed in the end. Left out are cloning, building (`make image`
# has done it) and pushing the image: it is put into the cluster under the name that the README gives it. This cluster has no DNS, so the
# Service's name is replaced by its address.
#
#   readme.sh ARCHIVE     needs what up.sh needs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
archive=$1

die() {
  printf 'readme: error: %s\n' "$*" >&2
  exit 1
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-readme.XXXXXX")
cleanup() {
  trap '' INT TERM HUP
  tests/cluster/down.sh "$dir/cluster" || true
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# steps/N.sh: the commands of step N, taken from the blocks of code below its heading. What a command prints begins with a bracket.
mkdir "$dir/steps"
awk -v to="$dir/steps" '
  /^## / { on = $0 == "## Your first receiver" }
  on && match($0, /^\*\*[0-9]+\./) { step = substr($0, 3, RLENGTH - 3); title = $0; sub(/^\*\*[0-9]+\. /, "", title); sub(/\*\*.*/, "", title); print title >(to "/" step ".title") }
  on && /^```$/ { inside = !inside; first = inside; next }
  on && inside && first { first = 0; output = /^\[/ }
  on && inside && !output { print >(to "/" step ".sh") }' README.md
image=$(sed -n 's/^make image IMAGE=//p' "$dir/steps/2.sh")
[[ -n $image && -e $dir/steps/8.sh ]] || die "README.md has no eight steps any more, or no name for the image: change this script with it"

mkdir "$dir/image"
tar -xf "$archive" -C "$dir/image"
rm -f "$dir/image/repositories"
jq --arg image "$image" '.[0].RepoTags = [$image]' "$dir/image/manifest.json" >"$dir/manifest.json"
mv "$dir/manifest.json" "$dir/image/manifest.json"
tar -cf "$dir/quayside.tar" -C "$dir/image" .

QUAYSIDE_TEST_TOOLS=$(tests/controlplane/tools.sh kubelet kube-controller-manager kube-scheduler kube-proxy)
export QUAYSIDE_TEST_TOOLS PATH=$QUAYSIDE_TEST_TOOLS:$PATH KUBECACHEDIR=$dir/cache
export HELM_CACHE_HOME=$dir/helm HELM_CONFIG_HOME=$dir/helm HELM_DATA_HOME=$dir/helm
tests/cluster/up.sh "$dir/cluster" "$dir/quayside.tar"
export KUBECONFIG=$dir/cluster/kubeconfig

began=$SECONDS
for step in 3 4 5 6 7 8; do
  printf '\n# %s. %s (%d s)\n' "$step" "$(cat "$dir/steps/$step.title")" $((SECONDS - began))
  if ((step == 8)); then sed -i "s/quayside\.quayside\.svc/$(kubectl get service quayside -n quayside -o=jsonpath='{.spec.clusterIP}')/" "$dir/steps/8.sh"; fi
  cat "$dir/steps/$step.sh"
  bash -euo pipefail "$dir/steps/$step.sh" | tee "$dir/said" || die "step $step failed"
done
[[ $(tail -n 1 "$dir/said") =~ ^20[0-9-]+T ]] || die "the last command does not print when the Warehouse was asked to refresh"
printf '\n\nreadme: a Warehouse is refreshed %d s after the beginning of step 3\n' $((SECONDS - began))
