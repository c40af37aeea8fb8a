#!/usr/bin/env bash
# The first process of the cluster's namespaces: starts every part of it and lives until it is killed. Only up.sh runs this.
#
#   node.sh DIR TOOLS CNI
set -euo pipefail

dir=$1 tools=$2 cni=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=addresses.sh
source "$here/addresses.sh"
cd "$dir"

start() { # start NAME COMMAND…
  local name=$1
  shift
  "$@" >"log/$name.log" 2>&1 </dev/null &
  pids[$!]=$name
}
declare -A pids=()
await() { # await WHAT COMMAND…: polls; a part that died will not come back
  local what=$1 deadline=$((SECONDS + 90)) pid
  shift
  until "$@" >/dev/null 2>&1; do
    for pid in "${!pids[@]}"; do
      kill -0 "$pid" 2>/dev/null || {
        echo "${pids[$pid]} ended by itself:"
        tail -n 10 "log/${pids[$pid]}.log"
        exit 1
      }
    done
    ((SECONDS < deadline)) || {
      echo "$what did not come up"
      exit 1
    }
    sleep 0.1
  done
}
kubectl() { "$tools/kubectl" --kubeconfig="$dir/kubeconfig" --cache-dir="$dir/cache" --request-timeout=5s "$@"; }

# What the parts leave behind in fixed places goes into memory of our own, and with us.
mount --make-rshared /
mkdir -p /var/lib/cni /var/lib/kubelet
for place in /run /var/log /var/lib/cni /var/lib/kubelet; do mount -t tmpfs quayside "$place"; done
# Settings of the kernel that no namespace separates: the kubelet shall find what it wants there, and change only our copy.
settings=(vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000)
mkdir -p /run/settings
for setting in "${settings[@]}"; do
  file=/run/settings/${setting//\//-}
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%%=*}"
done

ip link set lo up
touch started # now up.sh lays the cable
await "the cable" ip link show node0
ip address add "$node_address/30" dev node0
ip link set node0 up
echo 1 >/proc/sys/net/ipv4/ip_forward

start etcd "$tools/etcd" --data-dir="$dir/etcd" --unsafe-no-fsync
start kube-apiserver "$tools/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
  --bind-address=0.0.0.0 --advertise-address="$node_address" --secure-port=6443 \
  --tls-cert-file=pki/api.crt --tls-private-key-file=pki/api.key --client-ca-file=pki/ca.crt --token-auth-file=pki/tokens.csv \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub \
  --service-account-signing-key-file=pki/sa.key --service-cluster-ip-range="$service_range" \
  --authorization-mode=Node,RBAC --kubelet-client-certificate=pki/api.crt --kubelet-client-key=pki/api.key \
  --kubelet-preferred-address-types=InternalIP

# Overlay upon overlay does not work, as where this runs in a container.
snapshotter=overlayfs
if [[ $(stat -f -c %T "$dir") == overlayfs ]]; then snapshotter=native; fi
cat >containerd.toml <<END
version = 2
root = "$dir/containerd"
state = "/run/containerd"
[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/quayside-pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni"
    conf_dir = "$dir/cni"
END
cat >cni/10-pods.conflist <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_range"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
start containerd containerd --config "$dir/containerd.toml"
await containerd ctr version
for archive in images/*.tar; do
  ctr --namespace k8s.io images import --snapshotter "$snapshotter" "$archive" || {
    echo "$archive could not be imported"
    exit 1
  }
done

await "the API server" kubectl get --raw /readyz
start kube-controller-manager "$tools/kube-controller-manager" --kubeconfig=kubeconfig --leader-elect=false \
  --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt --bind-address=127.0.0.1 \
  --allocate-node-cidrs=true --cluster-cidr="$pod_range" --node-cidr-mask-size=24 --service-cluster-ip-range="$service_range"
start kube-scheduler "$tools/kube-scheduler" --kubeconfig=kubeconfig --leader-elect=false --bind-address=127.0.0.1
cat >kubelet.yaml <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
address: $node_address
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: $dir/pki/ca.crt}
authorization: {mode: AlwaysAllow}
readOnlyPort: 0
resolvConf: ""
podLogsDir: $dir/pods
# The images cannot be fetched again, so a disk of this machine that is nearly full must not make the kubelet remove them.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}
END
start kubelet "$tools/kubelet" --kubeconfig=kubeconfig --config=kubelet.yaml --root-dir="$dir/kubelet" --cert-dir="$dir/kubelet/pki" \
  --hostname-override=node --node-ip="$node_address"
cat >kube-proxy.yaml <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $dir/kubeconfig}
mode: iptables
clusterCIDR: $pod_range
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
start kube-proxy "$tools/kube-proxy" --config=kube-proxy.yaml --hostname-override=node

await "the node" kubectl get node node
await "the node" kubectl wait --for=condition=Ready node/node --timeout=5s
touch ready

# Also reaps what the runtime leaves without a parent.
while :; do wait -n || true; done
