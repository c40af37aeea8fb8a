#!/usr/bin/env bash
# A real control plane, etcd and kube-apiserver with RBAC, that lives as long as its standard input is open.
#
#   controlplane.sh run DIR         start one; everything it keeps is in DIR, which must be new or empty of one
#   controlplane.sh free-ports N    print N ports of 127.0.0.1 that are free, one a line
#
# `run` prints `ready KUBECONFIG=DIR/kubeconfig` when the API server serves. Then it takes commands, one a line, and answers
# each with `ok` or `error: …`:
#
#   stop-apiserver    TERM and wait        kill-apiserver    KILL and wait        start-apiserver    same port, waits until ready
#
# At the end of its input, or on TERM or INT, it stops the API server, then etcd, and exits 0. A parent that dies, however it
# dies, closes that input, so nothing is left behind. A child that dies by itself is not started again: tests do that on purpose.
#
#   QUAYSIDE_TEST_TOOLS           directory of etcd, kube-apiserver and kubectl; without it tools.sh is asked
#   CONTROLPLANE_APISERVER_ARGS   more flags for kube-apiserver, split at spaces
#   CONTROLPLANE_ETCD_ARGS        more flags for etcd
set -euo pipefail
umask 077

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ready_within=60 # seconds; about 3 are usual
stop_within=10  # seconds between TERM and KILL

die() {
  printf 'controlplane: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}
usage() {
  sed -n '2,/^set -/{/^#/!d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# Ports below the range from which the kernel hands out its own: no outgoing connection or `bind(0)` can take the API
# server's port while that is stopped. A lock per port, held while we live, keeps parallel control planes apart.
take_port() { # take_port NAME: sets NAME to a port
  local low high=32767 candidate lock_fd tries
  if read -r low _ 2>/dev/null </proc/sys/net/ipv4/ip_local_port_range && ((low > 12000 && low - 1 < high)); then high=$((low - 1)); fi
  local locks
  locks=${TMPDIR:-/tmp}/quayside-ports-$(id -u)
  mkdir -p "$locks"
  for ((tries = 0; tries < 1000; tries++)); do
    candidate=$((10000 + (RANDOM * 32768 + RANDOM) % (high - 10000)))
    if (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then continue; fi # something answers there
    if command -v flock >/dev/null; then
      exec {lock_fd}>"$locks/$candidate"
      if ! flock -n "$lock_fd"; then
        exec {lock_fd}>&-
        continue
      fi
    fi
    printf -v "$1" %s "$candidate"
    return
  done
  die "found no free port between 10000 and $high on 127.0.0.1" "see what listens there: ss -ltn"
}

case ${1:-} in
  run) [[ $# == 2 ]] || usage ;;
  free-ports)
    [[ $# == 2 && $2 =~ ^[0-9]+$ ]] || usage
    port=''
    for ((i = 0; i < $2; i++)); do
      take_port port
      echo "$port"
    done
    exit
    ;;
  *) usage ;;
esac

mkdir -p "$2"
dir=$(cd "$2" && pwd)
[[ ! -e $dir/etcd ]] || die "$dir was used before" "name a new directory"
command -v openssl >/dev/null || die "openssl is not installed" "install it (Debian: apt-get install openssl); the ServiceAccount keys are made with it"
command -v ps >/dev/null || die "ps is not installed" "install it (Debian: apt-get install procps); the children are watched with it"
tools=${QUAYSIDE_TEST_TOOLS:-$("$here/tools.sh")}
for program in etcd kube-apiserver kubectl; do
  [[ -x $tools/$program ]] || die "$tools holds no $program" "unset QUAYSIDE_TEST_TOOLS, or set it to what tests/controlplane/tools.sh prints"
done
read -r -a etcd_args <<<"${CONTROLPLANE_ETCD_ARGS:-}"
read -r -a apiserver_args <<<"${CONTROLPLANE_APISERVER_ARGS:-}"

# Should this script itself be killed, the kernel kills the children. Their own session: a Ctrl-C at the terminal must not reach
# etcd before the API server is gone.
lead=()
if command -v setsid >/dev/null && command -v setpriv >/dev/null; then lead=(setsid setpriv --pdeathsig KILL --); fi

client_port='' peer_port='' apiserver_port='' # take_port sets them
etcd_pid=
apiserver_pid=

# Ours by its parent, for the number of a child that died by itself may belong to another process by now.
running() { [[ -n $1 && $(ps -o ppid= -p "$1") -eq $$ ]]; }

stop() { # stop PID [SIGNAL]: returns when it is gone
  local deadline=$((SECONDS + stop_within))
  running "$1" || return 0
  kill -"${2:-TERM}" "$1" 2>/dev/null || true
  while running "$1" && ((SECONDS < deadline)); do sleep 0.05; done
  running "$1" || return 0
  kill -KILL "$1" 2>/dev/null || true
  while running "$1"; do sleep 0.05; done
}

teardown() {
  trap '' TERM INT HUP # once is enough
  stop "$apiserver_pid"
  stop "$etcd_pid"
}
trap teardown EXIT
trap 'exit 0' TERM INT HUP
trap : PIPE # a parent that is gone must not end us before the children are

start_etcd() {
  "${lead[@]}" "$tools/etcd" --name=default --data-dir="$dir/etcd" \
    --listen-client-urls="http://127.0.0.1:$client_port" --advertise-client-urls="http://127.0.0.1:$client_port" \
    --listen-peer-urls="http://127.0.0.1:$peer_port" --initial-advertise-peer-urls="http://127.0.0.1:$peer_port" \
    --initial-cluster="default=http://127.0.0.1:$peer_port" --unsafe-no-fsync "${etcd_args[@]}" \
    </dev/null >>"$dir/etcd.log" 2>&1 &
  etcd_pid=$!
  disown # bash would report its death on standard error
}

start_apiserver() {
  # ServiceAccount admission is off because no controller manager runs that would make the ServiceAccount `default` of a namespace.
  "${lead[@]}" "$tools/kube-apiserver" --etcd-servers="http://127.0.0.1:$client_port" \
    --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$apiserver_port" --cert-dir="$dir/certificates" \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$dir/service-account.pub" \
    --service-account-signing-key-file="$dir/service-account.key" --service-cluster-ip-range=10.0.0.0/24 \
    --authorization-mode=RBAC --token-auth-file="$dir/tokens.csv" --disable-admission-plugins=ServiceAccount "${apiserver_args[@]}" \
    </dev/null >>"$dir/kube-apiserver.log" 2>&1 &
  apiserver_pid=$!
  disown
}

write_kubeconfig() {
  # The API server makes its certificate and the authority behind it; the authority comes last in the file.
  local authority
  authority=$(awk '/BEGIN CERTIFICATE/ { pem = "" } { pem = pem $0 "\n" } END { printf "%s", pem }' "$dir/certificates/apiserver.crt" | openssl base64 -A)
  cat >"$dir/kubeconfig.new" <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: https://127.0.0.1:$apiserver_port
    certificate-authority-data: $authority
users:
- name: admin
  user:
    token: $token
contexts:
- name: test
  context:
    cluster: test
    user: admin
current-context: test
END
  mv "$dir/kubeconfig.new" "$dir/kubeconfig"
}

# Fails as soon as a child is gone, since it will not come back.
wait_ready() {
  local deadline=$((SECONDS + ready_within))
  while ((SECONDS < deadline)); do
    running "$etcd_pid" && running "$apiserver_pid" || return 1
    if [[ -s $dir/certificates/apiserver.crt && -s $dir/certificates/apiserver.key ]]; then
      [[ -e $dir/kubeconfig ]] || write_kubeconfig
      # --raw: no discovery, so nothing is cached in anybody's home.
      if get_raw /readyz && get_raw /api/v1/namespaces/default; then return; fi
    fi
    sleep 0.1
  done
  return 1
}
get_raw() { "$tools/kubectl" --kubeconfig="$dir/kubeconfig" --request-timeout=5s get --raw "$1" </dev/null &>/dev/null; }

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$dir/service-account.key" 2>/dev/null
openssl pkey -in "$dir/service-account.key" -pubout -out "$dir/service-account.pub"
token=$(openssl rand -hex 16)
echo "$token,admin,admin,system:masters" >"$dir/tokens.csv"

# A port can still be taken between our look and the bind, by a program that does not use our locks.
for attempt in 1 2 3 4 5; do
  take_port client_port
  take_port peer_port
  take_port apiserver_port
  start_etcd
  start_apiserver
  if wait_ready; then break; fi
  stop "$apiserver_pid"
  stop "$etcd_pid"
  if ((attempt == 5)) || ! grep -q 'address already in use' "$dir"/*.log; then
    tail -n 15 "$dir/etcd.log" "$dir/kube-apiserver.log" >&2
    die "the control plane did not become ready" "the whole logs: $dir/etcd.log $dir/kube-apiserver.log"
  fi
  rm -rf "$dir/etcd" "$dir/certificates" "$dir/kubeconfig" "$dir"/*.log
done
echo "ready KUBECONFIG=$dir/kubeconfig"

while IFS= read -r command; do
  case $command in
    stop-apiserver | kill-apiserver)
      if [[ $command == stop-apiserver ]]; then stop "$apiserver_pid" TERM; else stop "$apiserver_pid" KILL; fi
      apiserver_pid=
      echo ok
      ;;
    start-apiserver)
      running "$apiserver_pid" || start_apiserver
      if wait_ready; then echo ok; else echo "error: the API server did not become ready; see $dir/kube-apiserver.log"; fi
      ;;
    *) echo "error: unknown command '$command'; known: stop-apiserver kill-apiserver start-apiserver" ;;
  esac
done
