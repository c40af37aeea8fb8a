#!/usr/bin/env bash
# Prints the ServiceAccount and the rights that the chart gives to Quayside, with their namespace, ready for `kubectl apply -f -`.
#
#   rbac.sh [NAMESPACE [RELEASE [FLAG…]]]     both default to quayside, and then the ServiceAccount is quayside/quayside;
#                                             FLAGs are for `helm template`
#
#   QUAYSIDE_TEST_TOOLS    directory of helm; without it tests/controlplane/tools.sh is asked
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

namespace=${1:-quayside} release=${2:-quayside}
tools=${QUAYSIDE_TEST_TOOLS:-$(tests/controlplane/tools.sh)}
cat <<END
apiVersion: v1
kind: Namespace
metadata:
  name: $namespace
END
"$tools/helm" template "$release" charts/quayside --namespace "$namespace" \
  --set baseUrl=http://quayside.test --set image.repository=quayside.test/quayside "${@:3}" \
  --show-only templates/serviceaccount.yaml --show-only templates/clusterrole.yaml --show-only templates/clusterrolebinding.yaml \
  --show-only templates/role.yaml --show-only templates/rolebinding.yaml
