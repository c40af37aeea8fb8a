#!/usr/bin/env bash
# The ways to install without typing `helm install`, on a real API server: the file of `make manifests` applies, both overlays of
# Kustomize apply and change what they say, and the values in the examples for Argo CD and Flux render. Part of `make chart`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=../controlplane/start.sh
source tests/controlplane/start.sh

dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-deploy.XXXXXX")
cleanup() {
  trap '' INT TERM HUP
  stop_plane
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
die() {
  printf 'deploy: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '%s\n' "$@" >&2; fi
  exit 1
}
checks=0
ok() {
  checks=$((checks + 1))
  printf 'ok: %s\n' "$*"
}

QUAYSIDE_TEST_TOOLS=${QUAYSIDE_TEST_TOOLS:-$(tests/controlplane/tools.sh)}
export QUAYSIDE_TEST_TOOLS HELM_CACHE_HOME=$dir/helm HELM_CONFIG_HOME=$dir/helm HELM_DATA_HOME=$dir/helm
PATH=$QUAYSIDE_TEST_TOOLS:$PATH
unset IMAGE BASE_URL NAMESPACE CRDS

CRDS=no deploy/manifests.sh | cmp -s - deploy/kustomize/base/quayside.yaml ||
  die "deploy/kustomize/base/quayside.yaml is out of step with the chart: run \`make generate\` and commit the result"
ok "the base of Kustomize is what the chart renders"

# The values are the last block of each example.
values() { # values FILE KEY
  awk -v key="$2:" '$1 == key { on = 1; match($0, /^ */); depth = RLENGTH + 2; next } on { print substr($0, depth + 1) }' "$1"
}
values deploy/argocd/application.yaml valuesObject >"$dir/argocd.yaml"
values deploy/flux/quayside.yaml values >"$dir/flux.yaml"
for tool in argocd flux; do
  grep -q '^baseUrl: https://' "$dir/$tool.yaml" || die "no values were found in the example for $tool"
  helm template quayside charts/quayside --namespace quayside --values "$dir/$tool.yaml" >"$dir/$tool.rendered" || die "the values of the example for $tool do not render"
  grep -q '^kind: Deployment' "$dir/$tool.rendered" || die "the example for $tool renders no Deployment"
  ok "the values of the example for $tool render $(grep -c '^kind: ' "$dir/$tool.rendered") manifests"
done
if grep -E 'helm.sh/hook|CustomResourceDefinition' "$dir/argocd.rendered"; then die "Argo CD would get hooks of Helm, or CRDs that it cannot compare"; fi
version=$(awk '/^version:/ { print $2 }' charts/quayside/Chart.yaml)
grep -q "targetRevision: $version\$" deploy/argocd/application.yaml || die "the example for Argo CD does not name the version $version"
grep -q "semver: \">=$version" deploy/flux/quayside.yaml || die "the example for Flux does not begin with the version $version"
ok "they name the version of the chart"

start_plane "$dir" || die "the control plane did not start; see above"

# As a person would: one file into an empty cluster, and once more.
NAMESPACE=hooks BASE_URL=https://hooks.example.org/x IMAGE=registry.example.org/q@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef \
  deploy/manifests.sh >"$dir/all.yaml"
for time in first second; do
  kubectl apply --server-side --validate=strict -f "$dir/all.yaml" >"$dir/applied" 2>&1 || die "the file of make manifests does not apply the $time time:" "$(cat "$dir/applied")"
  if grep -i warning "$dir/applied"; then die "the API server warns, see above"; fi
done
kubectl wait --for=condition=Established crd --all --timeout=30s >/dev/null
[[ $(kubectl get deployment quayside -n hooks -o=jsonpath='{.spec.template.spec.containers[0].env[0].value} {.spec.template.spec.containers[0].image}') == \
  "https://hooks.example.org/x registry.example.org/q@sha256:"* ]] || die "base URL or image are not those that were given"
[[ $(kubectl auth can-i patch warehouses.kargo.akuity.io -A --as=system:serviceaccount:hooks:quayside 2>/dev/null) == yes ]] || die "its ServiceAccount has no rights"
ok "the file of make manifests applies to an empty cluster, twice: $(wc -l <"$dir/applied") objects"
CRDS=own deploy/manifests.sh | grep 'kargo.akuity.io$' | grep 'name: ' && die "CRDS=own brings Kargo's CRDs"
ok "beside Kargo, without Kargo's CRDs"

overlay() { # overlay NAME NAMESPACE: applies it
  kubectl create namespace "$2" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  kubectl apply --server-side --force-conflicts --validate=strict -k "deploy/kustomize/overlays/$1" >"$dir/applied" 2>&1 || die "the overlay $1 does not apply:" "$(cat "$dir/applied")"
  if grep -i warning "$dir/applied"; then die "the API server warns about the overlay $1, see above"; fi
}
is() { # is WHAT WANTED RESOURCE NAMESPACE JSONPATH
  local found
  found=$(kubectl get "$3" -n "$4" -o=jsonpath="$5")
  [[ $found == "$2" ]] || die "$1: wanted '$2', found '$found'"
}
overlay small quayside
is "replicas of small" 1 deployment/quayside quayside '{.spec.replicas}'
is "base URL of small" http://hooks.test:30080 deployment/quayside quayside '{.spec.template.spec.containers[0].env[?(@.name=="EXTERNAL_WEBHOOK_SERVER_BASE_URL")].value}'
is "Service of small" "NodePort 30080" service/quayside quayside '{.spec.type} {.spec.ports[0].nodePort}'
[[ -z $(kubectl get poddisruptionbudgets -n quayside -o name) ]] || die "small has a PodDisruptionBudget, which would block draining the node"
ok "the overlay small applies"
overlay production kargo
is "replicas of production" 3 deployment/quayside kargo '{.spec.replicas}'
is "base URL of production" https://kargo.example.com/webhooks deployment/quayside kargo '{.spec.template.spec.containers[0].env[?(@.name=="EXTERNAL_WEBHOOK_SERVER_BASE_URL")].value}'
is "memory of production" 512Mi deployment/quayside kargo '{.spec.template.spec.containers[0].resources.limits.memory}'
is "subject of production" "kargo quayside" clusterrolebinding/quayside '' '{.subjects[0].namespace} {.subjects[0].name}'
is "backend of production" quayside ingress/quayside kargo '{.spec.rules[0].http.paths[0].backend.service.name}'
ok "the overlay production applies"

printf 'deploy: %d checks passed (%d s)\n' "$checks" "$SECONDS"
