#!/usr/bin/env bash
# `make e2e`: installs Quayside as a platform engineer would, with helm and the real image, on a cluster whose Pods really run, and
# shows that a push reaches its Warehouse: after the installation, while it is upgraded and restarted, and after taking over from
# Kargo's own server. Then removes it and shows what stays. Fails if any step does not happen; leaves nothing running.
#
#   e2e.sh check          says whether it can run here, quickly
#   e2e.sh run ARCHIVE    runs, with the image in this docker archive
#
# Without further ado it starts a cluster of its own, which needs root on Linux (up.sh says what else). Elsewhere:
#
#   E2E_KUBECONFIG   a cluster to test on instead, one without Kargo and Quayside that may be thrown away, such as kind's
#   E2E_LOAD_IMAGE   with it: the command that puts the image into that cluster; the archive is its $1. For kind:
#                    E2E_LOAD_IMAGE='kind load image-archive "$1"'
#   IMAGE            the name of the image in the archive; default localhost/quayside:<version of the chart>
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  printf '\ne2e: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}

check() {
  local program
  for program in curl sha256sum; do
    command -v "$program" >/dev/null || die "$program is not installed" "install it and run this again"
  done
  if [[ -n ${E2E_KUBECONFIG:-} ]]; then
    [[ -r $E2E_KUBECONFIG ]] || die "E2E_KUBECONFIG=$E2E_KUBECONFIG cannot be read"
    [[ -n ${E2E_LOAD_IMAGE:-} ]] || die "E2E_LOAD_IMAGE is not set" \
      "give the command that puts a docker archive into the cluster, for kind: E2E_LOAD_IMAGE='kind load image-archive \"\$1\"'"
  elif [[ $(uname -s) != Linux || $(id -u) != 0 ]]; then
    die "a cluster of its own needs root on Linux, and this is user $(id -un) on $(uname -s)" \
      "run it as root on Linux, or name another cluster:" \
      "E2E_KUBECONFIG=FILE E2E_LOAD_IMAGE='kind load image-archive \"\$1\"' make e2e" \
      "the rest of the tests needs neither: make check test chart"
  fi
}
case ${1:-} in
  check)
    check
    exit
    ;;
  run) [[ $# == 2 ]] || die "usage: e2e.sh check | e2e.sh run ARCHIVE" ;;
  *) die "usage: e2e.sh check | e2e.sh run ARCHIVE" ;;
esac
check
archive=$2
[[ -r $archive ]] || die "$archive cannot be read" "build it: make image"
version=$(awk '/^version:/ { print $2 }' charts/quayside/Chart.yaml)
IMAGE=${IMAGE:-localhost/quayside:$version}

work=$(mktemp -d "${TMPDIR:-/tmp}/quayside-e2e.XXXXXX")
cluster=$work/cluster load_pid='' singles_pid='' proxy_pid='' follow_pid='' finished=''
cleanup() {
  trap '' INT TERM HUP
  if [[ -z $finished ]]; then diagnose >&2 || true; fi
  touch "$work/stop" "$work/enough"
  for pid in $load_pid $singles_pid $proxy_pid $follow_pid; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  tests/cluster/down.sh "$cluster" || true
  rm -rf "$work"
}
diagnose() {
  [[ -n ${KUBECONFIG:-} && -e $KUBECONFIG ]] || return 0
  printf '\n----- what the cluster looks like\n'
  kubectl get pods --all-namespaces -o wide
  kubectl get events --all-namespaces --sort-by=.lastTimestamp | tail -n 15
  printf '%s\n' "----- the end of Quayside's log"
  kubectl logs --selector=app.kubernetes.io/name=quayside -n quayside --tail=20 --prefix
  kubectl logs --selector=app.kubernetes.io/name=quayside -n kargo --tail=20 --prefix
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s# %s%s (%d s)\n' "$bold" "$*" "$plain" "$SECONDS"; }
checks=0
ok() {
  checks=$((checks + 1))
  printf 'ok: %s\n' "$*"
}
# show COMMAND: prints a command as one would type it, then runs it.
show() {
  printf '$ %s\n' "$1"
  eval "$1" || die "this command failed: $1"
}
# until_true SECONDS WHAT COMMAND…
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || die "waited in vain until $what"
    sleep 0.2
  done
}
same() { # same WHAT WANTED FOUND
  [[ $2 == "$3" ]] || die "$1: wanted '$2', found '$3'"
  ok "$1"
}

# ---------------------------------------------------------------------------------------------------------------------------

say "A cluster"
if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  tools=${QUAYSIDE_TEST_TOOLS:-$(tests/controlplane/tools.sh)}
  KUBECONFIG=$(realpath "$E2E_KUBECONFIG")
  bash -euc "$E2E_LOAD_IMAGE" load "$archive" || die "the image could not be loaded by: $E2E_LOAD_IMAGE"
else
  tools=$(tests/controlplane/tools.sh kubelet kube-controller-manager kube-scheduler kube-proxy)
  export QUAYSIDE_TEST_TOOLS=$tools
  tests/cluster/up.sh "$cluster" "$archive"
  KUBECONFIG=$cluster/kubeconfig
fi
PATH=$tools:$PATH
export KUBECONFIG PATH
export KUBECACHEDIR=$work/cache HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
show 'kubectl get nodes -o wide'
if [[ -n $(kubectl get crd -o name | grep 'kargo\.akuity\.io' || true) ]]; then
  die "Kargo's CRDs are in this cluster already" "this test needs a cluster that it may change: make a new one"
fi

# Everything runs under the strictest Pod Security level.
for namespace in quayside kargo senders; do
  kubectl create namespace "$namespace" >/dev/null
  kubectl label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted >/dev/null
done
until_true 30 "the namespaces have their ServiceAccount" kubectl get serviceaccount default -n senders -o name >/dev/null

chart="charts/quayside --set image.repository=${IMAGE%:*} --set image.tag=${IMAGE##*:} --set image.pullPolicy=Never"
base=http://hooks.quayside.test
project=kargo-demo

# send NAME SERVICE URL [FLAG…]: the container's own `send`, in a Pod, to the URL as it stands; the Service is what its host leads to.
# A Service is known to the node a moment after it is made, so no answer at all (exit code 2) is tried again; an answer is final.
send() {
  local name=$1 service=$2 url=$3 address arguments code deadline=$((SECONDS + 60))
  shift 3
  address=$(kubectl get service "${service#*/}" -n "${service%/*}" -o=jsonpath='{.spec.clusterIP}')
  arguments=$(printf ', "%s"' send quay "$url" "$@")
  printf '$ quayside send quay %s %s     # in a Pod of its own\n' "$url" "$*"
  while :; do
    kubectl apply -f - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: senders}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  hostAliases: [{ip: $address, hostnames: [$(cut -d/ -f3 <<<"$url")]}]
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: send
    image: $IMAGE
    imagePullPolicy: Never
    args: [${arguments#, }]
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
END
    until_true 60 "the Pod senders/$name ends" ended "$name"
    kubectl logs "$name" -n senders
    code=$(exit_code "$name")
    if [[ $code == 0 ]]; then return; fi
    if [[ $code != 2 ]] || ((SECONDS >= deadline)); then die "the push was not answered with 2xx (exit code $code)"; fi
    kubectl delete pod "$name" -n senders --wait >/dev/null
  done
}
exit_code() { kubectl get pod "$1" -n senders -o=jsonpath='{.status.containerStatuses[0].state.terminated.exitCode}'; }
ended() { [[ -n $(exit_code "$1") ]]; }
digest() { printf '%s' "$@" | sha256sum | cut -d' ' -f1; } # the formula of a receiver's URL, not taken from our own code
urls() { kubectl get projectconfigs "$project" -n "$project" -o=jsonpath='{.status.webhookReceivers[*].url}'; }
urls_are() { [[ $(urls) == "$1" ]]; }
refresh_of() { kubectl get warehouse "$1" -n "$project" -o=jsonpath='{.metadata.annotations.kargo\.akuity\.io/refresh}'; }
refreshed() { [[ -n $(refresh_of "$1") ]]; }
revision() { kubectl get projectconfigs "$project" -n "$project" -o=jsonpath='{.metadata.uid} {.metadata.resourceVersion}'; }
# What Kargo owns of a ProjectConfig: beside it, Quayside may add conditions of its own.
kargos() {
  kubectl get projectconfigs "$project" -n "$project" \
    -o=jsonpath='{.metadata.uid} {.spec} {.status.webhookReceivers} {.status.conditions[?(@.type=="Ready")]}'
}
# What a writer would change. Not the resourceVersion: the API server goes on writing their status for a while.
crd_state() {
  kubectl get crd -o=jsonpath='{range .items[*]}{.metadata.name}{" "}{.metadata.uid}{" "}{.metadata.generation}{" "}{.metadata.labels}{" "}{.metadata.annotations}{"\n"}{end}' | grep kargo
}
pods() { kubectl get pods -n "$1" --selector=app.kubernetes.io/name=quayside -o=jsonpath='{.items[*].metadata.name}'; }
pods_are_new() { [[ -z $(pods quayside | tr ' ' '\n' | grep -xF -f <(tr ' ' '\n' <<<"$1") || true) ]]; }
# Everything there is, but for what comes and goes by itself.
everything() {
  local kinds
  kinds=$(kubectl api-resources --verbs=list -o name | grep -vE '^(events|leases|componentstatuses|ipaddresses)(\.|$)' | paste -sd,)
  kubectl get "$kinds" --all-namespaces --ignore-not-found --no-headers \
    -o=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name 2>/dev/null | sort
}

# ---------------------------------------------------------------------------------------------------------------------------

say "Wrong values are refused before anything is installed"
refused() { # refused MESSAGE FLAG…
  local message=$1 said
  shift
  # shellcheck disable=SC2086 # $chart is several words
  if said=$(helm install quayside $chart -n quayside --set baseUrl=$base "$@" 2>&1); then die "helm accepted $*"; fi
  [[ $said == *"$message"* ]] || die "helm refused $*, but did not say '$message': $said"
  ok "$* is refused: $(grep -F "$message" <<<"$said" | head -n 1)"
}
refused "additional properties 'replica' not allowed" --set replica=2
refused "at '/replicas': got string, want integer" --set replicas=two
refused "does not match pattern '^(https?://.*)?\$'" --set baseUrl=hooks.example.com
refused "baseUrl is required" --set baseUrl=
same "nothing was installed" "" "$(helm list --all-namespaces --short; kubectl get all -n quayside -o name; kubectl get crd -o name | grep kargo || true)"

say "Install the chart of the release before this one, where there are no CRDs of Kargo"
# As `helm package` made it from the release's chart. Its image is this one: that of the release is not at hand.
released=tests/cluster/fixtures/released-0.1.0.tgz
show "helm install quayside $released ${chart#charts/quayside} -n quayside --set baseUrl=$base --wait --timeout=2m >$work/notes && tail -n +9 $work/notes | head -n 6"
show 'kubectl get pods -n quayside -o wide'
same "both replicas are ready" "2" "$(kubectl get deployment quayside -n quayside -o=jsonpath='{.status.readyReplicas}')"
our_crds() { kubectl get crd -o=jsonpath='{.items[*].metadata.name}' | tr ' ' '\n' | grep -E '(kargo\.akuity\.io|quayside\.dev)$' | paste -sd' '; }
same "that chart brought its five CRDs" \
  "clusterconfigs.kargo.akuity.io clusterreceivers.quayside.dev projectconfigs.kargo.akuity.io receivers.quayside.dev warehouses.kargo.akuity.io" "$(our_crds)"
kubectl wait --for=condition=Established crd --all --timeout=30s >/dev/null

say "Declare a receiver, and get its URL"
show 'kubectl apply -f examples/quay/'
secret=$(kubectl get secret quay-webhook -n "$project" -o=jsonpath='{.data.secret}' | base64 -d)
wanted=$base/quay/$(digest "$project" quay "$secret")
until_true 20 "the status names the URL" urls_are "$wanted"
show "kubectl get projectconfigs $project -n $project -o=jsonpath='{.status.webhookReceivers}'"
echo
ok "the URL is the one that sha256sum computes"

say "Push through the Service"
send first quayside/quayside "$(urls)" --repository quay.io/northwind/storefront --tag 1.4.2
until_true 5 "the Warehouse storefront is asked to refresh" refreshed storefront
show "kubectl get warehouses -n $project -o=custom-columns='NAME:.metadata.name,REFRESH:.metadata.annotations.kargo\.akuity\.io/refresh'"
same "the Warehouse that does not accept 1.4.2 was left alone" "" "$(refresh_of storefront-next)"

say "Two replicas agree on the status"
kubectl create secret generic quay-webhook -n "$project" --from-literal=secret=another-secret-0123456789 --dry-run=client -o yaml |
  kubectl apply -f - >/dev/null 2>&1
wanted=$base/quay/$(digest "$project" quay another-secret-0123456789)
until_true 20 "the status names the URL of the changed Secret" urls_are "$wanted"
ok "both replicas saw the Secret change"
before=$(revision)
# Ends by its time-out; whatever it prints is a write.
writes=$(timeout 5 kubectl get projectconfigs "$project" -n "$project" --watch-only -o=jsonpath='{.metadata.resourceVersion}{"\n"}' || true)
same "the status was not written again within 5 s" "" "$writes"
same "the ProjectConfig is what it was" "$before" "$(revision)"

# ---------------------------------------------------------------------------------------------------------------------------

say "Push without a pause"
path=${wanted#"$base"}
if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  # The cluster's network may be out of reach from here; the API server's proxy is not.
  kubectl proxy --port=0 >"$work/proxy" &
  proxy_pid=$!
  until_true 10 "kubectl proxy listens" grep -q ':[0-9]' "$work/proxy"
  reach=http://127.0.0.1:$(grep -oE '[0-9]+$' "$work/proxy")/api/v1/namespaces/quayside/services/quayside:http/proxy
else
  reach=http://$(kubectl get service quayside -n quayside -o=jsonpath='{.spec.clusterIP}')
fi
printf '{"docker_url":"quay.io/northwind/storefront","updated_tags":["1.4.2"]}' >"$work/push.json"
push() { # push QUERY: prints status and seconds of one push for every query QUERY stands for, each on a connection of its own
  curl -sS -o /dev/null --max-time 10 -w '%{http_code} %{time_total}\n' -H 'Content-Type: application/json' \
    -H 'Connection: close' --data-binary "@$work/push.json" "$reach$path?$1" 2>&1
}
# Several senders at a time, each without a pause, and many pushes for each process, or starting those is what is measured. They are
# spread over many Warehouses: a single one is refreshed twice a second at most, and its pushes would wait for that.
warehouses=160
warehouse() { # warehouse NAME: one that subscribes to the repository of that name
  cat <<END
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: $1, namespace: $project, labels: {example.com/test: load}}
spec: {subscriptions: [{image: {repoURL: quay.io/northwind/$1, constraint: ^1.0.0}}]}
END
}
for ((number = 0; number < warehouses; number++)); do warehouse "load-$number"; done | kubectl create -f - >/dev/null
pushes() { # pushes FIRST: a configuration of curl with one push to each Warehouse, beginning with that one
  local number
  for ((number = $1; number < $1 + warehouses; number++)); do
    cat <<END
url = "$reach$path"
data-binary = "{\"docker_url\":\"quay.io/northwind/load-$((number % warehouses))\",\"updated_tags\":[\"1.4.2\"]}"
header = "Content-Type: application/json"
header = "Connection: close"
output = "/dev/null"
write-out = "%{http_code} %{time_total}\\n"
max-time = 10
silent
show-error
next
END
  done | sed '$d'
}
load() {
  local sender
  for sender in {1..12}; do
    pushes $((sender * 13)) >"$work/curl.$sender"
    while [[ ! -e $work/stop ]]; do curl --config "$work/curl.$sender" 2>&1 || true; done >"$work/load.$sender" &
  done
  wait
}
same "a push from here is answered" "200" "$(push n=0 | cut -d' ' -f1)"
load_began=$SECONDS
load &
load_pid=$!
leader() { kubectl get lease quayside -n quayside -o=jsonpath='{.spec.holderIdentity}'; }
led_by_another() { [[ -n $(leader) && $(leader) != "$1" ]]; }

say "Upgrade from the release before this one, go back, and upgrade again"
before=$(revision)
upgrade="helm upgrade quayside $chart -n quayside --set baseUrl=$base --set log.level=debug --wait --timeout=3m >/dev/null"
for change in "$upgrade" 'helm rollback quayside 1 -n quayside --wait --timeout=3m >/dev/null' "$upgrade"; do
  old=$(pods quayside)
  show "$change"
  until_true 60 "the old Pods are gone" pods_are_new "$old"
done
same "the upgrade brought the CRDs that are new, and going back removed none" \
  "clusterconfigs.kargo.akuity.io clusterreceivers.quayside.dev clusterregistrations.quayside.dev projectconfigs.kargo.akuity.io receivers.quayside.dev registrations.quayside.dev warehouses.kargo.akuity.io" \
  "$(our_crds)"
same "none of it changed the ProjectConfig" "$before" "$(revision)"

say "Restart"
old=$(pods quayside)
show 'kubectl rollout restart deployment/quayside -n quayside'
show 'kubectl rollout status deployment/quayside -n quayside --timeout=180s | tail -n 1'
until_true 60 "the old Pods are gone" pods_are_new "$old"

say "The leader's Pod is deleted, then the other one's"
# The Lease names a Pod that has just ended until another one takes it over.
one_leads() {
  local name
  holder=$(leader) pod='' other=''
  for name in $(pods quayside); do
    if [[ $holder == "$name"_* ]]; then pod=$name; else other=$name; fi
  done
  [[ -n $pod ]]
}
until_true 30 "one of our Pods holds the Lease" one_leads
show "kubectl delete pod $pod -n quayside --wait=false"
until_true 30 "another replica leads" led_by_another "$holder"
kubectl create secret generic quay-webhook -n "$project" --from-literal=secret=another-secret-0123456789 \
  --from-literal=secret.previous=the-secret-before-that-one --dry-run=client -o yaml | kubectl apply -f - >/dev/null 2>&1
kubectl patch projectconfigs "$project" -n "$project" --type=merge \
  --patch '{"metadata":{"annotations":{"kargo.akuity.io/refresh":"after-the-election"}}}' >/dev/null
handled() { [[ $(kubectl get projectconfigs "$project" -n "$project" -o=jsonpath='{.status.lastHandledRefresh}') == after-the-election ]]; }
until_true 30 "the new leader writes statuses" handled
ok "the other replica leads and writes statuses"
two_are_ready() { [[ $(kubectl get deployment quayside -n quayside -o=jsonpath='{.status.readyReplicas}') == 2 ]]; }
until_true 60 "there are two ready Pods again" two_are_ready
show "kubectl delete pod $other -n quayside --wait=false"
until_true 60 "the old Pods are gone" pods_are_new "$pod $other"
show 'kubectl rollout status deployment/quayside -n quayside --timeout=180s | tail -n 1'

say "Both Pods are evicted, as when their nodes are drained"
until_true 60 "there are two ready Pods again" two_are_ready
# As `kubectl drain` does: by the Eviction API, again and again while a PodDisruptionBudget forbids it.
evict() {
  kubectl create --raw "/api/v1/namespaces/quayside/pods/$1/eviction" -f - >"$work/evicted" 2>&1 <<END
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "$1", "namespace": "quayside"}}
END
}
old=$(pods quayside)
read -r first second <<<"$old"
evict "$first" || die "the eviction of $first is refused: $(cat "$work/evicted")"
if evict "$second"; then die "both Pods could be evicted at once, although there is a PodDisruptionBudget"; fi
grep -q 'disruption budget' "$work/evicted" || die "the eviction of $second is refused for another reason: $(cat "$work/evicted")"
ok "while one Pod is replaced, the other one may not be evicted"
until_true 120 "the other Pod may be evicted" evict "$second"
until_true 90 "the old Pods are gone" pods_are_new "$old"
until_true 60 "there are two ready Pods again" two_are_ready
say "From the Pod's own folder to a disk for each replica, and back"
storage=
if [[ -z ${E2E_KUBECONFIG:-} ]]; then
  # Nothing here makes disks, so they are folders of the one node. A local volume, because it heeds fsGroup.
  storage='--set spool.persistence.storageClassName=e2e'
  for disk in 0 1; do
    mkdir -p "$work/disks/$disk"
    kubectl apply -f - >/dev/null <<END
apiVersion: v1
kind: PersistentVolume
metadata: {name: e2e-$disk}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: e2e
  persistentVolumeReclaimPolicy: Retain
  local: {path: $work/disks/$disk}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node]}]}]}}
END
  done
fi
# Beside the load, Warehouses that are pushed to once each, one after the other: a refresh that is lost is not made good by the next push.
singles=300
for ((number = 0; number < singles; number++)); do warehouse "single-$number"; done | kubectl create -f - >/dev/null
push_singles() {
  local number
  for ((number = 0; number < singles; number++)); do
    if [[ -e $work/enough ]]; then return; fi
    curl -sS -o /dev/null --max-time 10 -w "single-$number %{http_code}\n" -H 'Content-Type: application/json' -H 'Connection: close' \
      --data-binary "{\"docker_url\":\"quay.io/northwind/single-$number\",\"updated_tags\":[\"1.4.2\"]}" "$reach$path" 2>&1 || true
    sleep 0.2
  done
}
push_singles >"$work/singles" &
singles_pid=$!
workloads() { kubectl get deployments,statefulsets -n quayside -o name | paste -sd' '; }
deployment=deployment.apps/quayside statefulset=statefulset.apps/quayside
for change in "to a disk|$statefulset|--set spool.persistence.enabled=true $storage" "back to a folder|$deployment|"; do
  IFS='|' read -r what new flags <<<"$change"
  old=$(pods quayside)
  upgrade="helm upgrade quayside $chart -n quayside --set baseUrl=$base $flags --wait --timeout=3m >/dev/null"
  show "$upgrade"
  same "$what: what served before serves beside the new one" "$deployment $statefulset" "$(workloads)"
  show "$upgrade"
  same "$what: the same command again removes it" "$new" "$(workloads)"
  until_true 90 "the old Pods are gone" pods_are_new "$old"
  token=$(refresh_of storefront)
  same "a push is answered" "200" "$(push n=0 | cut -d' ' -f1)"
  [[ $(refresh_of storefront) != "$token" ]] || die "the push was answered, and the Warehouse was not refreshed"
  ok "$what: a push refreshes"
done
touch "$work/enough"
wait "$singles_pid"
singles_pid=''
failures=$(grep -v ' 200$' "$work/singles" || true)
[[ -z $failures ]] || die "not every single push was answered with 200:" "$failures"
lost() { # the Warehouses that were pushed to once and were not refreshed
  kubectl get warehouses -n "$project" -o=jsonpath='{range .items[*]}{.metadata.name}{" "}{.metadata.annotations.kargo\.akuity\.io/refresh}{"\n"}{end}' |
    awk 'NR == FNR { pushed[$1]; next } $1 in pushed && NF == 1 { print $1 }' "$work/singles" -
}
none_is_lost() { [[ -z $(lost) ]]; }
until_true 30 "every Warehouse is refreshed that was pushed to once" none_is_lost
(($(wc -l <"$work/singles") >= 20)) || die "only $(wc -l <"$work/singles") single pushes were made meanwhile, which shows nothing"
ok "each of $(wc -l <"$work/singles") pushes to a Warehouse of its own meanwhile refreshed it"
kubectl delete persistentvolumeclaims --all -n quayside >/dev/null
if [[ -n $storage ]]; then kubectl delete persistentvolume e2e-0 e2e-1 >/dev/null; fi

say "What became of the pushes"
touch "$work/stop"
wait "$load_pid"
load_pid=''
took=$((SECONDS - load_began))
cat "$work"/load.* >"$work/load"
failures=$(grep -v '^200 ' "$work/load" | sort | uniq -c || true)
[[ -z $failures ]] || die "not every push was answered with 200 while Pods came and went:" "$failures"
all_are_refreshed() {
  [[ $(kubectl get warehouses -n "$project" -o=jsonpath='{range .items[*]}{.metadata.name}{" "}{.metadata.annotations.kargo\.akuity\.io/refresh}{"\n"}{end}' |
    grep -c '^load-[0-9]* [0-9]') == "$warehouses" ]]
}
until_true 30 "every Warehouse of the load is refreshed" all_are_refreshed
ok "$(wc -l <"$work/load") pushes in $took s ($(($(wc -l <"$work/load") / took)) a second) while it was upgraded, rolled back, restarted and moved to a disk and back, and Pods were deleted and evicted, each answered with 200, the slowest within $(cut -d' ' -f2 "$work/load" | sort -n | tail -n 1) s"
say "Deliveries of both replicas, and why one of them did not refresh"
# The command line port-forwards to every Pod with the rights of this kubeconfig.
cli=target/image/quayside
followed_from() { grep -q "\"replica\":\"$1\"" "$work/followed"; } # what is followed is one line of JSON each
deliveries_of_both() {
  local pod
  push 'n=[1-20]' >/dev/null
  for pod in $(pods quayside); do followed_from "$pod" || return 1; done
}
follow_both() {
  until_true 60 "there are two ready Pods again" two_are_ready
  "$cli" deliveries --namespace quayside --follow -o json >"$work/followed" 2>"$work/followed.errors" &
  follow_pid=$!
  until_true 60 "pushes of both replicas are followed: see followed and followed.errors" deliveries_of_both
  kill "$follow_pid"
  wait "$follow_pid" 2>/dev/null || true
  follow_pid=''
  ok "deliveries --follow shows pushes that either replica has answered"
  show "$cli deliveries --namespace quayside --limit 5"
  show "$cli why $project/storefront-next --namespace quayside | head -n 1 | tee $work/why"
  grep -q 'did not refresh it: tag "1.4.2" does not satisfy constraint "^2.0.0"' "$work/why" ||
    die "why does not name the reason: $(cat "$work/why")"
  ok "why names the reason for a Warehouse that was not refreshed"
}
follow_both

say "helm test"
# Kargo, which is not here, would have taken the refreshes up.
kubectl delete warehouses -n "$project" -l example.com/test=load >/dev/null
for warehouse in $(kubectl get warehouses -n "$project" -o=jsonpath='{.items[*].metadata.name}'); do
  kubectl patch warehouse "$warehouse" -n "$project" --subresource=status --type=merge \
    --patch "{\"status\": {\"lastHandledRefresh\": \"$(refresh_of "$warehouse")\"}}" >/dev/null
done
show "helm test quayside -n quayside --logs --timeout=2m"
same "nothing of the test is left" "" "$(kubectl get pods,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings -A -o name | grep quayside-test || true)"

if [[ -n $proxy_pid ]]; then
  kill "$proxy_pid"
  wait "$proxy_pid" 2>/dev/null || true
  proxy_pid=''
fi

say "Uninstall"
before=$(revision)
crds=$(crd_state)
show 'helm uninstall quayside -n quayside --wait --timeout=2m'
# In its namespace and by its name; what every namespace has, and the CRDs, are not Quayside's.
left() {
  everything | awk '$2 == "quayside" || $3 ~ /^quayside/ { print $1 "/" $3 }' |
    grep -vxE 'Namespace/quayside|ConfigMap/kube-root-ca.crt|ServiceAccount/default'
}
nothing_left() { ! left >"$work/left"; }
until_true 60 "nothing of Quayside is left" nothing_left
ok "nothing of Quayside is left"
same "the ProjectConfig is what it was" "$before" "$(revision)"
same "the CRDs are still there" "$crds" "$(crd_state)"

# ---------------------------------------------------------------------------------------------------------------------------

say "Take over from Kargo: its CRDs are installed by its chart, and a receiver's URL was registered with it"
# The URL that Kargo's documentation gives for these inputs, with its secret's newline at the end.
base=https://kargo.example.com/webhook
registered=$base/quay/804b6f6bb40eb1f0e371f971d71dd95549be4bc9cbf868046941115f44073c67
same "sha256sum computes that URL, too" "$registered" "$base/quay/$(digest kargo-demo my-first-receiver $'soylent green is people\n')"
# As Kargo's chart has them: among its templates, generated by controller-gen, and other than ours.
mkdir -p "$work"/kargo/{templates,resources}
printf 'apiVersion: v2\nname: kargo\nversion: 1.0.0\n' >"$work/kargo/Chart.yaml"
cat >"$work/kargo/templates/crds.yaml" <<'END'
{{ range $path, $_ := .Files.Glob "resources/*" }}
---
{{ $.Files.Get $path }}
{{ end }}
END
for crd in crds/kargo.akuity.io_*.yaml; do
  sed -e 's|^metadata:$|&\n  annotations: {controller-gen.kubebuilder.io/version: v0.18.0, helm.sh/resource-policy: keep}|' \
    -e 's|^    - jsonPath: .metadata.creationTimestamp$|    - {jsonPath: .metadata.uid, name: Kargo, type: string}\n&|' \
    "$crd" >"$work/kargo/resources/$(basename "$crd")"
done
show "helm install kargo $work/kargo -n kargo --take-ownership >/dev/null"
same "the CRDs are Kargo's now" "3" "$(kubectl get crd -o yaml | grep -c 'name: Kargo$')"
kubectl create secret generic quay-webhook -n "$project" --from-literal=secret=$'soylent green is people\n' --dry-run=client -o yaml |
  kubectl apply -f - >/dev/null 2>&1
kubectl apply -f - >/dev/null <<END
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata: {name: $project, namespace: $project}
spec:
  webhookReceivers:
  - name: my-first-receiver
    quay: {secretRef: {name: quay-webhook}}
END
generation=$(kubectl get projectconfigs "$project" -n "$project" -o=jsonpath='{.metadata.generation}')
kubectl patch projectconfigs "$project" -n "$project" --subresource=status --type=merge --patch "$(
  cat <<END
{"status": {"observedGeneration": $generation, "webhookReceivers": [{"name": "my-first-receiver", "path": "/webhook${registered#"$base"}", "url": "$registered"}],
 "conditions": [{"type": "Ready", "status": "True", "reason": "Synced", "message": "ProjectConfig is synced and ready for use",
   "observedGeneration": $generation, "lastTransitionTime": "2026-01-02T03:04:05Z"}]}}
END
)" >/dev/null
# What Kargo's management controller binds in every project: Quayside reads Secrets by it, without a right in the cluster.
kubectl create clusterrole kargo-project-secrets-reader --verb=get,list,watch --resource=secrets >/dev/null
kubectl create rolebinding kargo-project-secrets-reader -n "$project" --clusterrole=kargo-project-secrets-reader \
  --serviceaccount=kargo:kargo-external-webhooks-server >/dev/null
before=$(kargos)
crds=$(crd_state)
everything >"$work/before"

# Under a user that a cluster might assign, as OpenShift does.
show "helm install quayside $chart -n kargo --set baseUrl=$base --set takeOver.enabled=true --set podSecurityContext.runAsUser=1000690000 --wait --timeout=2m >/dev/null"
same "it runs under the ServiceAccount of Kargo's server" "kargo-external-webhooks-server kargo-external-webhooks-server" \
  "$(kubectl get pods -n kargo --selector=app.kubernetes.io/name=quayside -o=jsonpath='{.items[*].spec.serviceAccountName}')"
same "Kargo's CRDs were not touched" "$crds" "$(crd_state)"
same "the registered URL stands, byte for byte" "$registered" "$(urls)"
token=$(refresh_of storefront)
again() { [[ $(refresh_of storefront) != "$token" ]]; }
# TLS ends in front of Quayside, so its part of the way is plain HTTP.
send registered kargo/kargo-external-webhooks-server "http${registered#https}" --repository quay.io/northwind/storefront --tag 1.4.2
until_true 5 "the Warehouse is refreshed by the registered URL" again
ok "a push to the registered URL refreshes"
token=$(refresh_of storefront)
send stripped kargo/kargo-external-webhooks-server "http://kargo.example.com${registered#"$base"}" --repository quay.io/northwind/storefront --tag 1.4.3
until_true 5 "the Warehouse is refreshed behind a proxy that strips the prefix" again
ok "so does one behind a proxy that strips the prefix"
same "the status that Kargo wrote stands as it was" "$before" "$(kargos)"

say "Uninstall leaves exactly what was there before"
kubectl delete pods --all -n senders --wait >/dev/null
show 'helm uninstall quayside -n kargo --wait --timeout=2m'
everything_as_before() {
  everything >"$work/after"
  diff <(grep -v ' senders ' "$work/before") <(grep -v ' senders ' "$work/after") >"$work/difference"
}
until_true 60 "everything is as before the take-over: see the difference" everything_as_before
ok "$(wc -l <"$work/after") objects before and after, the same ones"
same "the ProjectConfig is what it was" "$before" "$(kargos)"
same "so are Kargo's CRDs" "$crds" "$(crd_state)"

if [[ -n ${E2E_KUBECONFIG:-} ]]; then
  say "Clean up"
  helm uninstall kargo -n kargo >/dev/null 2>&1
  kubectl delete clusterrole kargo-project-secrets-reader >/dev/null
  kubectl delete -f examples/quay/ --ignore-not-found >/dev/null
  kubectl delete namespace quayside kargo senders >/dev/null
  kubectl delete -f crds/ >/dev/null
fi
finished=yes
printf '\n%se2e: %d checks passed with the image %s (%d s)%s\n' "$bold" "$checks" "$IMAGE" "$SECONDS" "$plain"
