#!/usr/bin/env bash
# `make manifests`: prints what the chart installs as one file for `kubectl apply --server-side -f -`, for those who install without Helm.
#
#   manifests.sh [FLAG…]     FLAGs are for `helm template`, such as --set ingress.enabled=true or --values FILE
#
#   BASE_URL      the public URL of the receivers; default https://hooks.example.com, to be replaced
#   IMAGE         default registry.example.com/platform/quayside with the chart's version, to be replaced
#   NAMESPACE     default quayside
#   CRDS=no       without the CRDs, and without the Namespace; CRDS=own with those of quayside.dev only, as beside Kargo
#
#   QUAYSIDE_TEST_TOOLS    directory of helm; without it tests/controlplane/tools.sh is asked
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

chart=charts/quayside namespace=${NAMESPACE:-quayside}
image=${IMAGE:-registry.example.com/platform/quayside:$(awk '/^appVersion:/ { print $2 }' $chart/Chart.yaml)}
tools=${QUAYSIDE_TEST_TOOLS:-$(tests/controlplane/tools.sh)}
if [[ $image == *@* ]]; then
  reference=(--set "image.repository=${image%@*}" --set "image.digest=${image#*@}")
else
  reference=(--set "image.repository=${image%:*}" --set "image.tag=${image##*:}")
fi
case ${CRDS:-all} in
  all | own)
    printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n' "$namespace"
    # As they are, without the annotations by which Helm would own them.
    for file in crds/quayside.dev_*.yaml $([[ ${CRDS:-all} == own ]] || echo crds/kargo.akuity.io_*.yaml); do
      printf -- '---\n'
      cat "$file"
    done
    ;;
  no) ;;
  *)
    printf 'manifests: error: CRDS=%s is none of all, own, no\n' "$CRDS" >&2
    exit 1
    ;;
esac
"$tools/helm" template quayside $chart --namespace "$namespace" --skip-tests --set crds.install=false \
  --set "baseUrl=${BASE_URL:-https://hooks.example.com}" "${reference[@]}" "$@" |
  sed '/helm\.sh\/chart: /d;s|app.kubernetes.io/managed-by: Helm|app.kubernetes.io/managed-by: kubectl|'
