#!/usr/bin/env bash
# Starts a whole Kubernetes cluster of one node from its own programs: Pods really run, Services really route.
#
#   up.sh DIR [IMAGE.tar…]     everything it keeps is in DIR; the docker archives are put into its container runtime
#
# It lives in namespaces of its own (network, mounts, processes), so it disturbs nothing on this machine and nothing survives it:
# down.sh DIR, or the death of its first process, ends all of it. The one thing outside is a virtual cable, by which the API server
# and every Service are reached from here. One cluster at a time. Not there: DNS, enforcement of NetworkPolicies, storage, a way
# out of the machine.
#
# Prints `KUBECONFIG=DIR/kubeconfig` when the node is ready. Needs root on Linux, and Debian's containerd runc
# containernetworking-plugins iptables conntrack iproute2 openssl gcc libc6-dev, and for the pause image docker, podman or buildah.
#
#   QUAYSIDE_TEST_TOOLS    directory of the Kubernetes programs; without it tests/controlplane/tools.sh is asked
set -euo pipefail
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=addresses.sh
source "$here/addresses.sh"
ready_within=120 # seconds; about 8 are usual

say() { printf 'cluster: %s (%d s)\n' "$*" "$SECONDS" >&2; }
die() {
  printf 'cluster: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}

(($#)) || die "usage: up.sh DIR [IMAGE.tar…]"
[[ $(uname -s) == Linux ]] || die "a cluster of its own needs Linux" "set E2E_KUBECONFIG to test on another cluster; see tests/cluster/e2e.sh"
[[ $(id -u) == 0 ]] || die "a cluster of its own needs root" "run this as root, or set E2E_KUBECONFIG to test on another cluster; see tests/cluster/e2e.sh"
lacking=()
for program in containerd ctr runc iptables conntrack ip unshare openssl gcc; do
  command -v "$program" >/dev/null || lacking+=("$program")
done
cni=
for candidate in /usr/lib/cni /opt/cni/bin /usr/libexec/cni; do
  if [[ -x $candidate/bridge && -x $candidate/host-local && -x $candidate/portmap ]]; then cni=$candidate; fi
done
[[ -n $cni ]] || lacking+=("the CNI plugins")
if ((${#lacking[@]})); then
  die "these are not installed: ${lacking[*]}" \
    "Debian: apt-get install containerd runc containernetworking-plugins iptables conntrack iproute2 util-linux openssl gcc libc6-dev"
fi

mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
if [[ -e $dir/pid ]]; then die "a cluster was started in $dir already" "end it: tests/cluster/down.sh $dir"; fi
if ip link show "$cable" >/dev/null 2>&1; then
  die "another cluster runs already, or the interface $cable belongs to another program" "end it: tests/cluster/down.sh DIR, where DIR is what this shows: pgrep -af tests/cluster/node.sh"
fi
# The kubelet's control groups are the machine's; two kubelets would fight over them.
while IFS= read -r group; do
  if [[ -s $group/cgroup.procs ]]; then
    die "another kubelet's Pods run on this machine ($group)" "test on that cluster: set E2E_KUBECONFIG, see tests/cluster/e2e.sh"
  fi
done < <(find /sys/fs/cgroup -type d -path '*kubepods*' 2>/dev/null)

tools=${QUAYSIDE_TEST_TOOLS:-}
for program in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
  if [[ -z $tools || ! -x $tools/$program ]]; then
    tools=$("$here/../controlplane/tools.sh" kubelet kube-controller-manager kube-scheduler kube-proxy)
    break
  fi
done

mkdir -p "$dir"/{pki,cni,log,images,pause}
gcc -static -Os -s -o "$dir/pause/pause" "$here/pause/pause.c" || die "the pause program could not be built" "install libc6-dev"
cp "$here/pause/Dockerfile" "$dir/pause/"
IMAGE_KEEP=no "$here/image.sh" "$dir/pause" localhost/quayside-pause:1 "$dir/images/pause.tar"
for archive in "$@"; do
  [[ -r $archive ]] || die "$archive cannot be read" "name docker archives, as docker save writes them"
  ln -sfn "$(realpath "$archive")" "$dir/images/$(basename "$archive")"
done

# An authority, the API server's certificate, the key that signs ServiceAccount tokens, and a token for the administrator.
(
  umask 077
  cd "$dir/pki"
  {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.crt -subj /CN=quayside-test-ca
    openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver
    echo "subjectAltName=IP:127.0.0.1,IP:$node_address,IP:$api_service_address,DNS:kubernetes.default.svc" >api.ext
    openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out api.crt -extfile api.ext
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sa.key
    openssl pkey -in sa.key -pubout -out sa.pub
  } >openssl.log 2>&1 || {
    cat openssl.log >&2
    die "openssl failed"
  }
  token=$(openssl rand -hex 16)
  echo "$token,admin,admin,system:masters" >tokens.csv
  cat >"$dir/kubeconfig" <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: https://$node_address:6443
    certificate-authority-data: $(openssl base64 -A -in ca.crt)
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
)

say "starting"
# setsid: a Ctrl-C at the terminal is for the caller, who ends the cluster by down.sh.
setsid unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc -- \
  "$here/node.sh" "$dir" "$tools" "$cni" </dev/null >"$dir/log/node.log" 2>&1 &
echo $! >"$dir/pid"
outer=$!
failed() {
  tail -n 20 "$dir/log/node.log" >&2
  die "$1" "the logs are in $dir/log; then end what is left: tests/cluster/down.sh $dir"
}

inner=
deadline=$((SECONDS + 10))
until [[ -e $dir/started ]] && inner=$(ps -o pid= --ppid "$outer" | tr -d ' ') && [[ -n $inner ]]; do
  if ! kill -0 "$outer" 2>/dev/null || ((SECONDS >= deadline)); then failed "the cluster's namespaces could not be made"; fi
  sleep 0.05
done
ip link add "$cable" type veth peer name node0 netns "$inner" || failed "the virtual cable could not be made"
ip address add "$host_address/30" dev "$cable"
ip link set "$cable" up
ip route add "$service_range" via "$node_address" dev "$cable" || failed "no route to the cluster's Services could be set"

deadline=$((SECONDS + ready_within))
until [[ -e $dir/ready ]]; do
  kill -0 "$outer" 2>/dev/null || failed "the cluster ended by itself"
  ((SECONDS < deadline)) || failed "the node did not become ready within $ready_within s"
  sleep 0.1
done
say "the node is ready"
echo "KUBECONFIG=$dir/kubeconfig"
