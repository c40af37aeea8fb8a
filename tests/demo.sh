#!/usr/bin/env bash
# `make demo`: Quayside does its main job on a throw-away control plane, and every command that shows it is printed first.
# Quay is played by `quayside send`; everything else is real. Leaves nothing behind, and fails if any step does not happen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=controlplane/start.sh
source tests/controlplane/start.sh

namespace=kargo-demo
operator_pid=''
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-demo.XXXXXX")

cleanup() {
  trap '' INT TERM HUP
  if [[ -n $operator_pid ]]; then
    kill "$operator_pid" 2>/dev/null || true
    wait "$operator_pid" 2>/dev/null || true
  fi
  stop_plane
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
die() {
  printf '\ndemo: error: %s\n' "$1" >&2
  if [[ -s $dir/quayside.log ]]; then
    printf '%s\n' "----- the end of Quayside's log" >&2
    tail -n 60 "$dir/quayside.log" >&2
  fi
  exit 1
}
# show COMMAND: prints a command as one would type it, then runs it.
show() {
  printf '$ %s\n' "$1"
  eval "$1" || die "this command failed: $1"
}
# until_true SECONDS WHAT COMMAND…: polls, and gives up at once if Quayside is gone.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if [[ -n $operator_pid ]] && ! kill -0 "$operator_pid" 2>/dev/null; then die "Quayside ended while waiting until $what"; fi
    ((SECONDS < deadline)) || die "waited in vain until $what"
    sleep 0.1
  done
}

for program in cargo curl openssl; do
  command -v "$program" >/dev/null || die "$program is not installed; install it and run this again"
done
[[ -d crds && -e examples/rbac.yaml && -d examples/quay ]] || die "crds/, examples/rbac.yaml or examples/quay/ is missing; check the repository out whole"

say "Build Quayside"
show 'cargo build --locked'
QUAYSIDE_TEST_TOOLS=${QUAYSIDE_TEST_TOOLS:-$(tests/controlplane/tools.sh)}
export QUAYSIDE_TEST_TOOLS
PATH=$(cd "${CARGO_TARGET_DIR:-target}/debug" && pwd):$QUAYSIDE_TEST_TOOLS:$PATH

say "Start etcd and a Kubernetes API server"
start_plane "$dir" || die "the control plane did not start; see above"
show 'kubectl version'

say "Install the CRDs, Quayside's ServiceAccount with its rights, and a project with a Quay receiver"
show 'kubectl apply -f crds/'
show 'kubectl wait --for=condition=Established crd --all --timeout=30s'
show 'kubectl apply -f examples/rbac.yaml'
show 'kubectl apply -f examples/quay/'

say "Run Quayside as that ServiceAccount"
tests/controlplane/user.sh "$KUBECONFIG" quayside quayside "$dir/quayside.kubeconfig"
ports=$(tests/controlplane/controlplane.sh free-ports 2)
{ read -r port && read -r admin_port; } <<<"$ports"
command="quayside run --kubeconfig $dir/quayside.kubeconfig --base-url http://127.0.0.1:$port \\
    --listen 127.0.0.1:$port --admin-listen 127.0.0.1:$admin_port --spool-dir $dir --log-format text"
printf '$ %s &\n' "$command"
# Should this script be killed, the kernel ends Quayside too.
if command -v setpriv >/dev/null; then command="setpriv --pdeathsig TERM -- $command"; fi
eval "exec $command" </dev/null >"$dir/quayside.log" 2>&1 &
operator_pid=$!
ready() { curl -fsS --max-time 2 -o /dev/null "http://127.0.0.1:$admin_port/readyz" 2>/dev/null; }
until_true 30 "Quayside is ready" ready
show "curl -fsS http://127.0.0.1:$admin_port/readyz"
echo

say "The receiver's URL, to be entered at Quay, stands in the ProjectConfig's status"
url_of() { kubectl get projectconfigs "$namespace" -n "$namespace" -o=jsonpath='{.status.webhookReceivers[0].url}'; }
url_there() { [[ -n $(url_of 2>/dev/null) ]]; }
until_true 15 "the ProjectConfig's status names a URL" url_there
show "kubectl get projectconfigs $namespace -n $namespace -o=jsonpath='{.status.webhookReceivers}'"
echo
url=$(url_of)
[[ $url == "http://127.0.0.1:$port/"* ]] || die "the status names the URL $url, which does not begin with --base-url"

say "quay.io/northwind/storefront:1.4.2 is pushed, and Quay calls the URL"
show "quayside send quay $url --repository quay.io/northwind/storefront --tag 1.4.2"

say "The Warehouse that subscribes to it is asked to refresh; no other is"
# The name is the escaped form that jsonpath wants of kargo.akuity.io/refresh.
warehouses="kubectl get warehouses -n $namespace -o=jsonpath='{range .items[*]}{.metadata.name}{\"\\t\"}{.metadata.annotations.kargo\\.akuity\\.io/refresh}{\"\\n\"}{end}'"
list=
refreshed() {
  list=$(eval "$warehouses") || return 1
  [[ -n $(awk -F '\t' '$2 != ""' <<<"$list") ]]
}
until_true 15 "a Warehouse bears the annotation kargo.akuity.io/refresh" refreshed
show "$warehouses"
refreshed # once more, for what was shown is what is judged
if (($(wc -l <<<"$list") > 1)) && [[ -z $(awk -F '\t' '$2 == ""' <<<"$list") ]]; then
  die "every Warehouse was refreshed, also those that do not subscribe to the image"
fi

say "What Quayside said meanwhile"
cat "$dir/quayside.log"
printf '\n%sdemo: all steps happened (%d s)%s\n' "$bold" "$SECONDS" "$plain"
