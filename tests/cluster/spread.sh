#!/usr/bin/env bash
# Whether a real kube-scheduler spreads the chart's replicas: two of a version, and the two of the next one while the first are still
# there, over nodes that are unevenly full and of which only some have the image.
#
#   spread.sh CHART [FLAG…]     with KUBECONFIG and helm and kubectl on PATH, on a control plane without Nodes
#
# Pods are made here as the Deployment's controller would make them, and only placed: no kubelet runs.
set -euo pipefail

chart=$1
shift
namespace=spread-$$
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-spread.XXXXXX")
scheduler=
cleanup() {
  if [[ -n $scheduler ]]; then
    kill "$scheduler" 2>/dev/null || true
    wait "$scheduler" 2>/dev/null || true
  fi
  kubectl delete nodes,pods -A -l example.com/test=spread --force --grace-period=0 >/dev/null 2>&1 || true
  kubectl delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap cleanup EXIT
die() {
  printf 'spread: error: %s\n' "$1" >&2
  kubectl get pods -n "$namespace" -o wide --show-labels >&2 || true
  tail -n 3 "$dir/scheduler.log" >&2 || true
  exit 1
}

image=$(helm template q "$chart" "$@" --show-only templates/deployment.yaml | awk '$1 == "image:" { print $2; exit }')
kubectl create namespace "$namespace" >/dev/null
node() { # node NAME ZONE IMAGES
  kubectl create -f - >/dev/null <<END
apiVersion: v1
kind: Node
metadata:
  name: $1
  labels: {kubernetes.io/hostname: $1, topology.kubernetes.io/zone: $2, example.com/test: spread}
END
  kubectl patch node "$1" --subresource=status --type=merge --patch "{\"status\": {
    \"allocatable\": {\"cpu\": \"4\", \"memory\": \"8Gi\", \"pods\": \"50\"}, \"capacity\": {\"cpu\": \"4\", \"memory\": \"8Gi\", \"pods\": \"50\"},
    \"conditions\": [{\"type\": \"Ready\", \"status\": \"True\"}], \"images\": $3}}" >/dev/null
  # Admission gives a new Node the taint of one that is not ready, and no controller is here to take it away.
  kubectl patch node "$1" --type=merge --patch '{"spec": {"taints": null}}' >/dev/null
}
node a1 a "[{\"names\": [\"$image\"], \"sizeBytes\": 15000000}]"
node a2 a '[]'
node b1 b '[]'
node b2 b '[]'
# What else runs here: the node with the image is empty, so a scheduler left alone would take it for every replica.
for busy in a2 b1 b2; do
  kubectl create -f - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata: {name: busy-$busy, namespace: $namespace, labels: {example.com/test: spread}}
spec:
  nodeName: $busy
  containers: [{name: busy, image: busy, resources: {requests: {cpu: "3", memory: 5Gi}}}]
END
done

kube-scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false --secure-port=0 >"$dir/scheduler.log" 2>&1 &
scheduler=$!

replicas() { # replicas HASH NAME…
  local hash=$1 name
  shift
  for name in "$@"; do
    {
      printf 'apiVersion: v1\nkind: Pod\n'
      sed -n '/^  template:$/,$p' "$dir/deployment.yaml" | sed '1d;s/^    //' |
        sed "s/^metadata:\$/&\n  name: $name\n  namespace: $namespace/;s/^  labels:\$/&\n    pod-template-hash: $hash\n    example.com\/test: spread/"
    } | kubectl create -f - >/dev/null
  done
}
column() { # column HASH LABEL: where the Pods of that version are
  local node
  for node in $(kubectl get pods -n "$namespace" -l "pod-template-hash=$1" -o=jsonpath='{.items[*].spec.nodeName}'); do
    kubectl get node "$node" -o=jsonpath="{.metadata.labels.$2}{\"\\n\"}"
  done | sort -u | wc -l
}
placed() { # placed HASH: waits until both are
  local deadline=$((SECONDS + 30))
  until [[ $(kubectl get pods -n "$namespace" -l "pod-template-hash=$1" -o=jsonpath='{.items[*].spec.nodeName}' | wc -w) == 2 ]]; do
    ((SECONDS < deadline)) || die "the Pods of version $1 were not placed"
    sleep 0.1
  done
}

helm template q "$chart" --namespace "$namespace" "$@" --show-only templates/deployment.yaml >"$dir/deployment.yaml"
replicas v1 old-1 old-2
placed v1
for label in 'topology\.kubernetes\.io/zone' 'kubernetes\.io/hostname'; do
  [[ $(column v1 "$label") == 2 ]] || die "both replicas share one value of $label"
done
replicas v2 new-1 new-2
placed v2
for label in 'topology\.kubernetes\.io/zone' 'kubernetes\.io/hostname'; do
  [[ $(column v2 "$label") == 2 ]] || die "both replicas of the next version share one value of $label"
done
