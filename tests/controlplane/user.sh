#!/usr/bin/env bash
# Writes a kubeconfig whose user is a ServiceAccount, so that RBAC counts for whatever uses it.
#
#   user.sh KUBECONFIG NAMESPACE SERVICEACCOUNT OUT
#
# KUBECONFIG is an admin's. Namespace and ServiceAccount are made if absent; the token lasts 8 hours.
set -euo pipefail
umask 077

if [[ $# != 4 ]]; then
  echo "usage: user.sh KUBECONFIG NAMESPACE SERVICEACCOUNT OUT" >&2
  exit 2
fi
kubeconfig=$1 namespace=$2 account=$3 out=$4

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${QUAYSIDE_TEST_TOOLS:-$("$here/tools.sh")}
admin() { "$tools/kubectl" --kubeconfig="$kubeconfig" "$@"; }

# make KIND NAME [FLAG…]: creating first and looking afterwards is safe when another process makes it meanwhile.
make() {
  local said
  if said=$(admin create "$@" 2>&1) || admin get "$@" >/dev/null 2>&1; then return; fi
  printf 'user.sh: error: %s %s cannot be created: %s\n' "$1" "$2" "$said" >&2
  exit 1
}
make namespace "$namespace"
make serviceaccount "$account" --namespace="$namespace"
token=$(admin create token "$account" --namespace="$namespace" --duration=8h)

cluster() { admin config view --raw --minify --flatten -o jsonpath="{.clusters[0].cluster.$1}"; }
server=$(cluster server)
authority=$(cluster certificate-authority-data)

cat >"$out.new" <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: $server
    certificate-authority-data: $authority
users:
- name: $account
  user:
    token: $token
contexts:
- name: test
  context:
    cluster: test
    user: $account
    namespace: $namespace
current-context: test
END
mv "$out.new" "$out"
