#!/usr/bin/env bash
# `make chart`: checks the chart without running it. Lint, the refusal of wrong values with a message that helps, and every manifest,
# with every optional thing on, against a real API server. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source-path=SCRIPTDIR source=../controlplane/start.sh
source tests/controlplane/start.sh

dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-chart.XXXXXX")
cleanup() {
  trap '' INT TERM HUP
  stop_plane
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

die() {
  printf 'chart: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '%s\n' "$@" >&2; fi
  exit 1
}
checks=0
ok() {
  checks=$((checks + 1))
  printf 'ok: %s\n' "$*"
}

if [[ ! -x ${QUAYSIDE_TEST_TOOLS:-}/kube-scheduler ]]; then QUAYSIDE_TEST_TOOLS=$(tests/controlplane/tools.sh kube-scheduler); fi
export QUAYSIDE_TEST_TOOLS HELM_CACHE_HOME=$dir/helm HELM_CONFIG_HOME=$dir/helm HELM_DATA_HOME=$dir/helm
PATH=$QUAYSIDE_TEST_TOOLS:$PATH
chart=charts/quayside fixtures=tests/cluster/fixtures
needed=(--set baseUrl=https://hooks.example.com --set image.repository=registry.example.com/platform/quayside)

# ---- without a cluster

crate=$(awk -F '"' '/^version = / { print $2; exit }' Cargo.toml)
for key in version appVersion; do
  found=$(awk -v key="$key:" 'index($0, key) == 1 { print $2 }' $chart/Chart.yaml)
  [[ $found == "$crate" ]] || die "Chart.yaml has $key $found, but the crate is $crate: make them the same"
done
ok "chart and crate have the version $crate"
helm lint --strict "$chart" "${needed[@]}" >"$dir/lint" || die "helm lint:" "$(cat "$dir/lint")"
helm lint --strict "$chart" --values "$fixtures/everything.yaml" >"$dir/lint" || die "helm lint:" "$(cat "$dir/lint")"
ok "helm lint --strict, with the required values and with all of them"
helm package "$chart" --destination "$dir" >/dev/null
helm template packaged "$dir/quayside-$crate.tgz" "${needed[@]}" >"$dir/packaged"
grep -q 'name: warehouses.kargo.akuity.io' "$dir/packaged" || die "the packaged chart lacks the CRDs"
ok "helm package, CRDs included"

# Every value has a default, a description in the schema, and no other name passes.
awk '/"type": "object"/ { objects++ } /"description"/ { descriptions++ } END { if (descriptions < objects) exit 1 }' $chart/values.schema.json ||
  die "values.schema.json has values without a description"

refused() { # refused MESSAGE FLAG…: MESSAGE is a part of what helm says
  local message=$1 said
  shift
  if said=$(helm template q "$chart" "${needed[@]}" "$@" 2>&1 >/dev/null); then die "accepted: $*"; fi
  [[ $said == *"$message"* ]] || die "refused: $*, but without saying: $message" "it said: $said"
  ok "$* -- $message"
}
refused "baseUrl is required" --set baseUrl=
refused "image.repository is required" --set image.repository=
refused "does not match pattern '^(https?://.*)?\$'" --set baseUrl=hooks.example.com
refused "does not match pattern '^(https?://.*)?\$'" --set baseUrl=ftp://hooks.example.com
refused "no user, query or fragment" --set baseUrl=https://hooks.example.com/?x=1
refused "baseUrl \"https://…@hooks.example.com\" is not" --set baseUrl=https://me:hidden@hooks.example.com
refused "with single slashes" --set baseUrl=https://hooks.example.com/a//b
refused "has . or .. in its path" --set baseUrl=https://hooks.example.com/a/../b
refused "additional properties 'replica' not allowed" --set replica=2
refused "at '/replicas': got string, want integer" --set replicas=two
refused "at '/replicas': minimum: got 0, want 1" --set replicas=0
refused "at '/image': additional properties 'name' not allowed" --set image.name=quayside
refused "at '/image/repository': 'quay.io/me/quayside:1.0' does not match pattern" --set image.repository=quay.io/me/quayside:1.0
refused "at '/image/digest': 'latest' does not match pattern '^(sha256:[0-9a-f]{64})?\$'" --set image.digest=latest
refused "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'" --set image.pullPolicy=Sometimes
refused "at '/registryAliases': got string, want array" --set registryAliases=a.example=b.example
refused "at '/registryAliases/0': 'https://a.example=b.example' does not match pattern" --set 'registryAliases[0]=https://a.example=b.example'
refused "at '/registryAliases/0': 'a.example' does not match pattern" --set 'registryAliases[0]=a.example'
refused "trustedProxies is required with clientCertHeader" --set clientCertHeader=X-SSL-Client-Cert
refused "clientCertHeader is required with trustedProxies" --set 'trustedProxies={10.0.0.0/8}'
refused "at '/trustedProxies/0': '0.0.0.0/0' does not match pattern" --set 'trustedProxies={0.0.0.0/0}'
refused "clusterReceivers is required with namespaces or excludedNamespaces" --set 'namespaces={web}'
refused "at '/excludedNamespaces/0': '*' does not match pattern" --set 'excludedNamespaces={*}'
refused "at '/ackDeadline': got number, want string" --set ackDeadline=2
refused "at '/ackDeadline': '2 seconds' does not match pattern" --set-string "ackDeadline=2 seconds"
refused "at '/refreshConcurrency': maximum: got 5,000, want 1,024" --set refreshConcurrency=5000
refused "at '/autoscaling/maxReplicas': minimum: got 0, want 1" --set autoscaling.maxReplicas=0
refused "at '/spool/sizeLimit': '1 GB' does not match pattern" --set-string "spool.sizeLimit=1 GB"
refused "at '/spool/persistence/enabled': got string, want boolean" --set-string spool.persistence.enabled=yes
refused "at '/catchUp/after': '1 minute' does not match pattern" --set-string "catchUp.after=1 minute"
refused "at '/catchUp/rate': minimum: got 0, want 1" --set catchUp.rate=0
refused "at '/drain/delaySeconds': got string, want integer" --set drain.delaySeconds=5s
refused "at '/log/level': value must be one of 'error', 'warn', 'info', 'debug', 'trace'" --set log.level=verbose
refused "at '/log/format': value must be one of 'json', 'text'" --set log.format=xml
refused "at '/listenAddress': '::' does not match pattern" --set listenAddress=::
refused "at '/takeOver': got boolean, want object" --set takeOver=true
refused "at '/takeOver/enabled': got string, want boolean" --set-string takeOver.enabled=true
refused "at '/systemNamespace': minLength: got 0, want 1" --set systemNamespace=
refused "at '/service/type': value must be one of 'ClusterIP', 'NodePort', 'LoadBalancer'" --set service.type=ExternalName
refused "at '/service/port': maximum: got 70,000, want 65,535" --set service.port=70000
refused "service.nodePort is set, but service.type is ClusterIP" --set service.nodePort=30080
refused "tls.secretName is required with tls.enabled=true" --set tls.enabled=true
refused "but is not enabled: set tls.enabled=true, too" --set tls.secretName=certificate
refused "but is not enabled: set tls.enabled=true, too" --set tls.clientCA.secretName=authorities
refused "give the one that holds the authorities" --set tls.enabled=true,tls.secretName=a,tls.clientCA.secretName=b,tls.clientCA.configMapName=c
refused "at '/tls/clientFingerprints/0': '00:11' does not match pattern" --set 'tls.clientFingerprints[0]=00:11'
refused "extraEnv sets QUAYSIDE_TLS_CERT, which the chart sets itself" --set tls.enabled=true,tls.secretName=a --set 'extraEnv[0].name=QUAYSIDE_TLS_CERT'
refused "at '/rbac/promotions/promote': got string, want boolean" --set-string rbac.promotions.promote=true
refused "at '/rbac/secrets': value must be one of '', 'cluster', 'bindings'" --set rbac.secrets=none
refused "serviceAccount.name is required with serviceAccount.create=false" --set serviceAccount.create=false
refused "at '/ingress': additional properties 'hosts' not allowed" --set 'ingress.hosts[0]=hooks.example.com'
refused "at '/ingress/path': 'hooks' does not match pattern" --set ingress.path=hooks
refused "at '/ingress/pathType': value must be one of" --set ingress.pathType=Regex
refused "at '/ingress/annotations/example.com~1on': got boolean, want string" --set 'ingress.annotations.example\.com/on=true'
refused "ingress.tls.enabled is true, but baseUrl begins with http://" --set ingress.enabled=true --set baseUrl=http://hooks.example.com
refused "need a host name" --set ingress.enabled=true --set baseUrl=https://192.0.2.1
refused "need a host name" --set httpRoute.enabled=true --set 'httpRoute.parentRefs[0].name=public' --set 'baseUrl=https://[2001:db8::1]:8443'
refused "httpRoute.parentRefs is required with httpRoute.enabled=true" --set httpRoute.enabled=true
refused "at '/httpRoute/parentRefs/0': missing property 'name'" --set 'httpRoute.parentRefs[0].namespace=gateways'
refused "at '/extraArgs/0': 'run' does not match pattern '^--[a-z]'" --set 'extraArgs[0]=run'
refused "commonLabels sets app.kubernetes.io/name, which the chart sets itself" --set 'commonLabels.app\.kubernetes\.io/name=other'
refused "at '/dnsPolicy': value must be one of" --set dnsPolicy=Cluster
refused "terminationGracePeriodSeconds is 30, but the drain may take 40" --set terminationGracePeriodSeconds=30
refused "terminationGracePeriodSeconds is 40, but the drain may take 65" --set terminationGracePeriodSeconds=40,drain.delaySeconds=30
refused "extraArgs holds --drain-timeout=60s, which terminationGracePeriodSeconds would not follow" --set 'extraArgs[0]=--drain-timeout=60s'
refused "at '/serviceAccount/token/expirationSeconds': minimum: got 60, want 600" --set serviceAccount.token.expirationSeconds=60
refused "at '/networkPolicy/egress/apiServerPorts': minItems: got 0, want 1" --set-json 'networkPolicy.egress.apiServerPorts=[]'
refused "tls.certificate.issuerRef is required" --set tls.enabled=true,tls.certificate.enabled=true
refused "but is not enabled: set tls.enabled=true, too" --set tls.certificate.enabled=true,tls.certificate.issuerRef.name=a
refused "at '/service/ipFamilies/0': value must be one of 'IPv4', 'IPv6'" --set 'service.ipFamilies={ipv6}'
refused "set listenAddress=[::], which takes both" --set service.ipFamilyPolicy=PreferDualStack
refused "set listenAddress=[::], which takes both" --set 'service.ipFamilies={IPv6}'
refused "extraEnv sets QUAYSIDE_LISTEN, which the chart sets itself" --set 'extraEnv[0].name=QUAYSIDE_LISTEN'
refused "extraEnv sets POD_NAMESPACE, which the chart sets itself" --set 'extraEnv[0].name=POD_NAMESPACE'
refused "at '/extraVolumeMounts/0': missing property 'mountPath'" --set 'extraVolumeMounts[0].name=authorities'

rendered() { helm template q "$chart" "${needed[@]}" "$@"; }
says() { # says TEXT WHAT FLAG…: what is rendered with these flags contains TEXT
  local text=$1 what=$2
  shift 2
  rendered "$@" >"$dir/says"
  grep -qF -- "$text" "$dir/says" || die "$what: '$text' is not in what is rendered with $*"
  ok "$what"
}
says 'terminationGracePeriodSeconds: 40' "the grace period covers the drain"
says 'terminationGracePeriodSeconds: 95' "also another one" --set drain.delaySeconds=10 --set drain.timeoutSeconds=40
says 'terminationGracePeriodSeconds: 120' "or a longer one, if that is given" --set terminationGracePeriodSeconds=120
says 'revisionHistoryLimit: 10' "the history is as long as that of Kubernetes"
says 'example.com/team: platform' "commonLabels are on every object" --set 'commonLabels.example\.com/team=platform' --show-only templates/service.yaml
if rendered --values "$fixtures/everything.yaml" | grep -A3 -E '^ *(matchLabels|selector):' | grep -q example.com/cost-centre; then
  die "a selector has commonLabels, so they could never change"
fi
ok "and in no selector"
says 'value: "a.example:8443=b.example,docker.io=b.example/hub"' "aliases of registries are separated by commas" --set 'registryAliases={a.example:8443=b.example,docker.io=b.example/hub}' --show-only templates/deployment.yaml
says 'path: /webhooks' "an Ingress routes the prefix of baseUrl" --set ingress.enabled=true --set baseUrl=https://h.example.com/webhooks/ --show-only templates/ingress.yaml
says 'path: /' "or everything" --set ingress.enabled=true --show-only templates/ingress.yaml
says 'value: /webhooks' "an HTTPRoute does, too" --set httpRoute.enabled=true --set 'httpRoute.parentRefs[0].name=p' --set baseUrl=https://h.example.com/webhooks --show-only templates/httproute.yaml
says 'name: kargo-external-webhooks-server' "a take-over has Kargo's names" --set takeOver.enabled=true --show-only templates/serviceaccount.yaml
says 'name: mine' "unless told otherwise" --set takeOver.enabled=true --set serviceAccount.name=mine --show-only templates/serviceaccount.yaml
says 'appProtocol: https' "the Service says that its Pods serve TLS" --set tls.enabled=true,tls.secretName=a --show-only templates/service.yaml
says 'port: 443' "on the port for it" --set tls.enabled=true,tls.secretName=a --show-only templates/service.yaml
says 'port: 8443' "or on another" --set tls.enabled=true,tls.secretName=a,service.port=8443 --show-only templates/service.yaml
says 'port: 443' "and an HTTPRoute leads there" --set tls.enabled=true,tls.secretName=a,httpRoute.enabled=true --set 'httpRoute.parentRefs[0].name=p' --show-only templates/httproute.yaml
says 'value: "/etc/quayside/client-ca/ca.crt"' "client certificates are asked for" --set tls.enabled=true,tls.secretName=a,tls.clientCA.secretName=b --show-only templates/deployment.yaml
says 'value: "web,team-a-*"' "a release can serve a part of the cluster" --set 'namespaces={web,team-a-*}' --set clusterReceivers=false --show-only templates/deployment.yaml
says 'value: "off"' "without the receivers of the cluster" --set 'namespaces={web,team-a-*}' --set clusterReceivers=false --show-only templates/deployment.yaml
proxied=(--set clientCertHeader=X-SSL-Client-Cert --set 'trustedProxies={10.244.0.0/16,fd00::/8}' --set tls.clientCA.configMapName=b --show-only templates/deployment.yaml)
says 'value: "10.244.0.0/16,fd00::/8"' "certificates that a proxy passes on are believed from its networks" "${proxied[@]}"
says 'value: "/etc/quayside/client-ca/ca.crt"' "and judged by the same authorities" "${proxied[@]}"
says 'verbs: [promote]' "the verb that Kargo's admission asks for, where it is wanted" --set rbac.promotions.promote=true --show-only templates/clusterrole.yaml
lacks() { # lacks TEXT WHAT FLAG…
  local text=$1 what=$2
  shift 2
  rendered "$@" >"$dir/says"
  if grep -F -- "$text" "$dir/says"; then die "$what: that is in what is rendered with $*"; fi
  ok "$what"
}
lacks subPath "certificates are mounted as folders, which change with the Secret" --set tls.enabled=true,tls.secretName=a,tls.clientCA.secretName=b --show-only templates/deployment.yaml
lacks QUAYSIDE_TLS "without tls.enabled, plain HTTP" --show-only templates/deployment.yaml
lacks QUAYSIDE_NAMESPACES "by default it serves all of it" --show-only templates/deployment.yaml
lacks QUAYSIDE_CLIENT_CERT "and no header that is believed" --show-only templates/deployment.yaml
lacks QUAYSIDE_TLS_CERT "also where a proxy ends TLS" "${proxied[@]}"
lacks promote "and not otherwise" --show-only templates/clusterrole.yaml
says 'expirationSeconds: 3600' "the token for the API server expires" --show-only templates/deployment.yaml
says 'audience: "vault"' "and has the audience that is given" --set serviceAccount.token.audience=vault --show-only templates/deployment.yaml
lacks 'automountServiceAccountToken: true' "no other token is mounted anywhere"
says 'secretName: q-quayside-tls' "a Certificate of cert-manager fills the Secret that is mounted" --set tls.enabled=true,tls.certificate.enabled=true,tls.certificate.issuerRef.name=a --show-only templates/deployment.yaml
says '- hooks.example.com' "for the host of baseUrl" --set tls.enabled=true,tls.certificate.enabled=true,tls.certificate.issuerRef.name=a --show-only templates/certificate.yaml
says 'ipAddresses: ["2001:db8::1"]' "or its address" --set 'baseUrl=https://[2001:db8::1]' --set tls.enabled=true,tls.certificate.enabled=true,tls.certificate.issuerRef.name=a --show-only templates/certificate.yaml
says 'value: "[::]:8080"' "IPv6: both ports of the Pod take it" --set 'listenAddress=[::]' --set service.ipFamilyPolicy=PreferDualStack --show-only templates/deployment.yaml
says 'ipFamilies: ["IPv6","IPv4"]' "and the Service has the families in that order" --set 'listenAddress=[::]' --set 'service.ipFamilies={IPv6,IPv4}' --show-only templates/service.yaml
says 'policyTypes: [Ingress, Egress]' "a NetworkPolicy narrows down what goes out, too" --set networkPolicy.enabled=true --show-only templates/networkpolicy.yaml
lacks 'Egress' "unless told otherwise" --set networkPolicy.enabled=true,networkPolicy.egress.enabled=false --show-only templates/networkpolicy.yaml
lacks 'kind: ReferenceGrant' "a route in the namespace of the release needs no ReferenceGrant" --set httpRoute.enabled=true --set 'httpRoute.parentRefs[0].name=p' --set 'httpRoute.parentRefs[0].namespace=gateways'
# OpenShift's restricted SCC assigns user and group, and refuses what names others.
openshift=(--api-versions security.openshift.io/v1)
for text in runAsUser runAsGroup fsGroup supplementalGroups; do
  lacks "$text" "no fixed $text on OpenShift" "${openshift[@]}" --set spool.persistence.enabled=true
done
says 'fsGroup: 65532' "elsewhere a disk is made writable for the image's user" --set spool.persistence.enabled=true --show-only templates/deployment.yaml
# helm test
tests=(--show-only templates/tests/check.yaml)
[[ $(rendered "${tests[@]}" | grep -c '^kind: ') == "$(rendered "${tests[@]}" | grep -c '  helm.sh/hook: test')" ]] || die "something of helm test is there without a test"
ok "what helm test brings is there during a test only"
if rendered "${tests[@]}" | grep -E 'verbs: .*(update|patch|delete|watch|\*)'; then die "the Pod of helm test may do more than look"; fi
ok "and may look and nothing more"
lacks 'helm.sh/hook' "without helmTest.enabled there is none" --set helmTest.enabled=false
[[ $(awk '/artifacthub.io\/crds:/ { on = 1; next } /^  [a-z]/ { on = 0 } on && $1 == "name:" { print $2 }' $chart/Chart.yaml | sort) == \
  "$(sed -n 's/^  name: \([a-z]*\.quayside\.dev\)$/\1/p' crds/quayside.dev_*.yaml | sort)" ]] || die "the annotation artifacthub.io/crds of Chart.yaml does not name the CRDs of quayside.dev"
ok "Artifact Hub is told of every CRD of ours"
for flags in "takeOver.enabled=true" "rbac.secrets=bindings"; do
  lacks 'resources: [secrets]' "no right to the Secrets of the whole cluster" --set "$flags" --show-only templates/clusterrole.yaml
done
for flags in "takeOver.enabled=false" "takeOver.enabled=true,rbac.secrets=cluster" "takeOver.enabled=true,serviceAccount.name=mine"; do
  says 'resources: [secrets]' "the right to the Secrets of the whole cluster" --set "$flags" --show-only templates/clusterrole.yaml
done
lacks PodDisruptionBudget "a single replica has no PodDisruptionBudget, which would block draining its node" --set replicas=1
says 'value: "off"' "the cause of a refresh can be left out" --set lastRefreshCause=false --show-only templates/deployment.yaml
lacks QUAYSIDE_REGISTRY_ALIASES "without aliases the variable is not set" --show-only templates/deployment.yaml
known=()
for kind in ProjectConfig ClusterConfig Warehouse; do known+=(--api-versions "kargo.akuity.io/v1alpha1/$kind"); done
says 'name: receivers.quayside.dev' "beside Kargo's CRDs, the chart brings its own" "${known[@]}"
lacks 'name: warehouses.kargo.akuity.io' "and leaves Kargo's alone" "${known[@]}" --show-only templates/crds.yaml
for kind in Receiver ClusterReceiver Registration ClusterRegistration; do known+=(--api-versions "quayside.dev/v1alpha1/$kind"); done
# Programs that render without a cluster pass this to helm.
lacks CustomResourceDefinition "no CRDs where --api-versions names them" "${known[@]}"
lacks CustomResourceDefinition "none with crds.install=false" --set crds.install=false

# ---- alerts and the dashboard

promtool=$(tests/alerts/tools.sh)/promtool
mkdir "$dir/alerts"
cp $chart/files/alerts.yaml tests/alerts/cases.yaml "$dir/alerts"
"$promtool" check rules --lint=all --lint-fatal "$dir/alerts/alerts.yaml" >"$dir/says" 2>&1 || die "promtool check rules:" "$(cat "$dir/says")"
"$promtool" test rules "$dir/alerts/cases.yaml" >"$dir/says" 2>&1 || die "promtool test rules:" "$(cat "$dir/says")"
ok "each of the $(grep -c '^  - alert:' "$dir/alerts/alerts.yaml") alerts fires when it should, and all are quiet when all is well (promtool)"
# A rule that is changed must be noticed, or the cases are worth nothing.
sed -i 's/min_over_time(quayside_refresh_owed/max_over_time(quayside_refresh_owed/' "$dir/alerts/alerts.yaml"
if "$promtool" test rules "$dir/alerts/cases.yaml" >/dev/null 2>&1; then die "the cases of the alerts do not notice a changed rule"; fi
ok "and a changed rule is noticed"
rules() { rendered --namespace here --set prometheusRule.enabled=true "$@" --show-only templates/prometheusrule.yaml | sed '1,/^spec:/d;s/^  //'; }
rules >"$dir/alerts/rendered.yaml"
"$promtool" check rules --lint=all --lint-fatal "$dir/alerts/rendered.yaml" >"$dir/says" 2>&1 || die "promtool check rules, of what is rendered:" "$(cat "$dir/says")"
[[ $(grep -c 'alert: ' "$dir/alerts/rendered.yaml") == "$(grep -c '^  - alert:' $chart/files/alerts.yaml)" ]] || die "the PrometheusRule lacks alerts of files/alerts.yaml"
ok "the PrometheusRule holds the same ones"
says 'absent(quayside_build_info{namespace="here"})' "whether this installation is absent is asked about its namespace" --namespace here --set prometheusRule.enabled=true --show-only templates/prometheusrule.yaml
says 'runbook_url: https://x.example/runbooks.md#quaysideabsent' "an alert leads to its runbook" --set prometheusRule.enabled=true,prometheusRule.runbookBaseUrl=https://x.example/runbooks.md --show-only templates/prometheusrule.yaml
[[ $(rules --set prometheusRule.alertLabels.severity=low | grep -c 'severity: low') == 0 ]] || die "alertLabels changed a severity"
[[ $(rules --set 'prometheusRule.disabled={QuaysideCrowded,QuaysideAbsent}' | grep -cE 'alert: Quayside(Crowded|Absent)') == 0 ]] || die "a disabled alert is rendered"
ok "alerts can be left out, and their severity stays"
refused "prometheusRule.disabled names QuaysideCrowd, which is no alert of the chart" --set prometheusRule.enabled=true --set 'prometheusRule.disabled={QuaysideCrowd}'
rendered --set grafanaDashboard.enabled=true --show-only templates/grafana-dashboard.yaml | sed '1,/quayside.json: /d;s/^    //' | diff -B - $chart/files/dashboard.json ||
  die "the ConfigMap does not hold files/dashboard.json"
ok "the dashboard's ConfigMap holds files/dashboard.json"

# ---- against an API server

export CONTROLPLANE_APISERVER_ARGS=--service-cluster-ip-range=10.0.0.0/24,fd00:10::/112 # for both families
start_plane "$dir" || die "the control plane did not start; see above"

kubectl apply -f "$fixtures/foreign-crds.yaml" >/dev/null
kubectl wait --for=condition=Established crd --all --timeout=30s >/dev/null
kubectl create namespace strict >/dev/null
kubectl label namespace strict pod-security.kubernetes.io/enforce=restricted >/dev/null
kubectl create namespace gateways >/dev/null
dry_run() { # dry_run WHAT FLAG…: what is rendered passes the API server, which checks every field
  local what=$1
  shift
  helm template q "$chart" --namespace strict "$@" >"$dir/manifests"
  kubectl apply --server-side --dry-run=server --validate=strict -f "$dir/manifests" >"$dir/applied" 2>&1 || die "$what:" "$(cat "$dir/applied")"
  if grep -i warning "$dir/applied"; then die "$what: the API server warns, see above"; fi
  ok "$what: the API server takes $(wc -l <"$dir/applied") manifests"
}
dry_run "with the required values" "${needed[@]}"
dry_run "with everything on" --values "$fixtures/everything.yaml"
for kind in ingress httproute referencegrant certificate flowschema networkpolicy servicemonitor podmonitor prometheusrule configmap/q-quayside-dashboard configmap/q-quayside-extra \
  poddisruptionbudget horizontalpodautoscaler; do
  grep -q "^$kind" "$dir/applied" || die "$kind is not among: $(cat "$dir/applied")"
done
ok "Ingress, HTTPRoute, ReferenceGrant, Certificate, FlowSchema, NetworkPolicy, ServiceMonitor, PodMonitor, PrometheusRule, dashboard, extra objects, PodDisruptionBudget and HorizontalPodAutoscaler among them"
dry_run "with a disk for each replica" "${needed[@]}" --set spool.persistence.enabled=true --set spool.persistence.storageClassName=fast
dry_run "for IPv6 alone" "${needed[@]}" --set 'listenAddress=[::]' --set 'service.ipFamilies={IPv6}' --set service.ipFamilyPolicy=SingleStack
dry_run "for a take-over" "${needed[@]}" --set takeOver.enabled=true --set serviceMonitor.enabled=true --set ingress.enabled=true

# A Deployment is taken whatever its Pods are like, so the Pod itself.
for values in "${needed[*]}" "--values $fixtures/everything.yaml --set priorityClassName="; do
  read -r -a flags <<<"$values"
  helm template q "$chart" --namespace strict "${flags[@]}" --show-only templates/deployment.yaml >"$dir/deployment.yaml"
  # The template's lines, four columns to the left, are a Pod but for its kind and name.
  {
    printf 'apiVersion: v1\nkind: Pod\n'
    sed -n '/^  template:$/,$p' "$dir/deployment.yaml" | sed '1d;s/^    //' | sed 's/^metadata:$/&\n  name: quayside\n  namespace: strict/'
  } >"$dir/pod.yaml"
  kubectl apply --dry-run=server --validate=strict -f "$dir/pod.yaml" >"$dir/applied" 2>&1 || die "the Pod is refused:" "$(cat "$dir/applied")"
  if grep -i warning "$dir/applied"; then die "the API server warns about the Pod, see above"; fi
done
ok "its Pod passes the restricted Pod Security level"
sed -i 's/runAsNonRoot: true/runAsNonRoot: false/' "$dir/pod.yaml"
if kubectl apply --dry-run=server -f "$dir/pod.yaml" >/dev/null 2>&1; then die "the restricted Pod Security level is not enforced, so the check before is worth nothing"; fi
ok "and another would not"

# The rights of the chart and those for an installation by hand are the same.
kubectl apply -f examples/rbac.yaml >/dev/null
tests/cluster/rbac.sh rights q | kubectl apply -f - >/dev/null
[[ $(kubectl get clusterrole quayside -o=jsonpath='{.rules}') == "$(kubectl get clusterrole q-quayside -o=jsonpath='{.rules}')" ]] ||
  die "examples/rbac.yaml and templates/clusterrole.yaml grant different rights"
[[ $(kubectl get role quayside -n quayside -o=jsonpath='{.rules}') == "$(kubectl get role q-quayside -n rights -o=jsonpath='{.rules}')" ]] ||
  die "examples/rbac.yaml and templates/role.yaml grant different rights"
[[ $(kubectl auth can-i watch secrets --all-namespaces --as=system:serviceaccount:rights:q-quayside 2>/dev/null) == yes ]] ||
  die "the ServiceAccount that rbac.sh prints has no rights"
[[ $(kubectl auth can-i update leases/quayside -n rights --as=system:serviceaccount:rights:q-quayside 2>/dev/null) == yes ]] ||
  die "the ServiceAccount that rbac.sh prints has no right to its Lease"
ok "examples/rbac.yaml grants the same"
kubectl delete clusterrole/q-quayside clusterrolebinding/q-quayside namespace/rights --wait=false >/dev/null

# With a FlowSchema, the API server itself says by which one it judged a request.
flow() { kubectl get --raw /api/v1/namespaces -v=8 --as=system:serviceaccount:strict:q-quayside 2>&1 | sed -n 's/.*X-Kubernetes-Pf-Flowschema-Uid: *\([^ "]*\).*/\1/p;s/.*x-kubernetes-pf-flowschema-uid="\([^"]*\)".*/\1/p' | head -n 1; }
helm template q "$chart" --namespace strict "${needed[@]}" --set flowSchema.enabled=true --show-only templates/flowschema.yaml | kubectl apply -f - >/dev/null
uid=$(kubectl get flowschema q-quayside -o=jsonpath='{.metadata.uid}')
deadline=$((SECONDS + 20))
until [[ $(flow) == "$uid" ]]; do
  ((SECONDS < deadline)) || die "the API server judges Quayside's requests by the FlowSchema '$(flow)', not by ours, $uid"
  sleep 0.2
done
[[ $(kubectl get flowschema q-quayside -o=jsonpath='{.status.conditions[?(@.type=="Dangling")].status}') == False ]] || die "the FlowSchema names a priority level that is not there"
ok "the API server judges Quayside's requests by the FlowSchema of the chart"
kubectl delete flowschema q-quayside >/dev/null

tests/cluster/spread.sh "$chart" "${needed[@]}" || die "the replicas are not spread; see above"
ok "kube-scheduler spreads the replicas, and those of an upgrade, over zones and nodes that are unevenly full"
nowhere='topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "example.com/none", "whenUnsatisfiable": "ScheduleAnyway"}]'
said=$(tests/cluster/spread.sh "$chart" "${needed[@]}" --set-json "$nowhere" 2>&1 || true)
[[ $said == *"both replicas share one value of topology"* ]] || die "without the chart's constraints the replicas are spread as well, so the check before is worth nothing:" "$said"
ok "which it does not by itself"

# Between the Pods' own folders and disks: what serves stays, as it is, until the other one is ready. No controller runs here, so we are it.
workloads() { kubectl get deployments,statefulsets -n strict -o name | paste -sd' '; }
deployment=deployment.apps/q-quayside statefulset=statefulset.apps/q-quayside
upgrade() { helm upgrade q "$chart" --namespace strict "${needed[@]}" "$@" >"$dir/notes" || die "this upgrade failed: $*"; }
becomes_ready() { kubectl patch "$1" -n strict --subresource=status --type=merge --patch '{"status": {"replicas": 2, "readyReplicas": 2}}' >/dev/null; }
moved() { # moved WHAT WANTED
  [[ $(workloads) == "$2" ]] || die "$1: there are '$(workloads)', not '$2'"
  ok "$1"
}
disks=(--set spool.persistence.enabled=true --set spool.persistence.storageClassName=fast)
helm install q "$chart" --namespace strict "${needed[@]}" >/dev/null
before=$(kubectl get "$deployment" -n strict -o=jsonpath='{.metadata.uid} {.metadata.generation}')
upgrade "${disks[@]}"
moved "to disks: the Deployment stays until the StatefulSet is ready" "$deployment $statefulset"
[[ $(kubectl get "$deployment" -n strict -o=jsonpath='{.metadata.uid} {.metadata.generation}') == "$before" ]] || die "the Deployment that stays was changed, so its Pods would be replaced"
grep -q 'which removes it' "$dir/notes" || die "the notes do not say what to do next"
upgrade "${disks[@]}"
moved "also through another upgrade" "$deployment $statefulset"
becomes_ready "$statefulset"
upgrade "${disks[@]}"
moved "then it is removed" "$statefulset"
if grep -q 'which removes it' "$dir/notes"; then die "the notes speak of a move that is over"; fi
upgrade # whose values do not say any more which disks they were
moved "back: the StatefulSet stays until the Deployment is ready" "$deployment $statefulset"
becomes_ready "$deployment"
upgrade
moved "then it is removed" "$deployment"
helm uninstall q --namespace strict >/dev/null 2>&1
kubectl delete pvc --all -n strict >/dev/null 2>&1

# CRDs, with a real installation: none there, ours there, those of another owner there.
kubectl delete -f crds/ >/dev/null # those that were installed so far
crds() { kubectl get crd -o=jsonpath='{range .items[*]}{.metadata.name}{" "}{.metadata.uid}{" "}{.metadata.generation}{"\n"}{end}' | grep -E '^[a-z]+\.(kargo\.akuity\.io|quayside\.dev) ' || true; }
helm install q "$chart" --namespace strict "${needed[@]}" >/dev/null
kubectl wait --for=condition=Established crd --all --timeout=30s >/dev/null
before=$(crds)
[[ $(wc -l <<<"$before") == $(find crds -name '*.yaml' | wc -l) ]] || die "the chart did not bring every CRD of crds/, but: $before"
for crd in crds/*.yaml; do
  name=$(awk '$1 == "name:" { print $2; exit }' "$crd")
  [[ $(kubectl replace --dry-run=server -f "$crd" -o=jsonpath='{.spec}') == "$(kubectl get crd "$name" -o=jsonpath='{.spec}')" ]] ||
    die "the chart's CRD $name is not what is in $crd"
done
ok "without CRDs, the chart brings those of crds/"
helm upgrade q "$chart" --namespace strict "${needed[@]}" >/dev/null
[[ $(crds) == "$before" ]] || die "an upgrade changed the CRDs"
helm uninstall q --namespace strict >/dev/null 2>&1
[[ $(crds) == "$before" ]] || die "uninstalling changed the CRDs"
ok "upgrade and uninstall keep them"
helm install q "$chart" --namespace strict "${needed[@]}" >/dev/null
kubectl patch crd receivers.quayside.dev --type=json --patch '[{"op": "copy", "from": "/spec/versions/0", "path": "/spec/versions/1"},
  {"op": "replace", "path": "/spec/versions/1/name", "value": "v1beta1"}, {"op": "replace", "path": "/spec/versions/0/storage", "value": false}]' >/dev/null
before=$(crds)
if said=$(helm upgrade q "$chart" --namespace strict "${needed[@]}" 2>&1); then die "an upgrade takes away a version in which objects are stored"; fi
[[ $said == *"objects of receivers.quayside.dev are stored in the version v1beta1"* && $(crds) == "$before" ]] || die "a version in which objects are stored is not named, or something was changed:" "$said"
helm upgrade q "$chart" --namespace strict "${needed[@]}" --set crds.install=false >/dev/null || die "with crds.install=false an upgrade is refused because of a CRD"
[[ $(crds) == "$before" ]] || die "with crds.install=false an upgrade touched the CRDs"
ok "an upgrade that takes away a version in which objects are stored is refused before anything is changed"
helm uninstall q --namespace strict >/dev/null 2>&1
kubectl delete crd receivers.quayside.dev >/dev/null
# Kargo takes over what we brought, as its chart does: its release in the annotations, more fields, and to be kept.
helm install q "$chart" --namespace strict "${needed[@]}" >/dev/null
for name in projectconfigs clusterconfigs warehouses; do
  kubectl annotate --overwrite crd "$name.kargo.akuity.io" meta.helm.sh/release-name=kargo meta.helm.sh/release-namespace=kargo \
    controller-gen.kubebuilder.io/version=v0.18.0 >/dev/null
  kubectl patch crd "$name.kargo.akuity.io" --type=json --patch \
    '[{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/extra", "value": {"type": "string"}}]' >/dev/null
done
before=$(crds)
helm upgrade q "$chart" --namespace strict "${needed[@]}" >/dev/null
[[ $(crds) == "$before" ]] || die "an upgrade changed CRDs that Kargo has taken over"
helm uninstall q --namespace strict >/dev/null 2>&1
[[ $(crds) == "$before" ]] || die "uninstalling changed CRDs that Kargo has taken over"
ok "CRDs that Kargo took over from the release are left alone by its upgrade and uninstallation"
kubectl annotate crd --all example.com/owner=somebody meta.helm.sh/release-name- meta.helm.sh/release-namespace- >/dev/null
kubectl patch crd warehouses.kargo.akuity.io --type=json --patch '[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"}]' >/dev/null
before=$(crds)
helm install q "$chart" --namespace strict "${needed[@]}" >/dev/null
helm upgrade q "$chart" --namespace strict "${needed[@]}" >/dev/null
[[ $(crds) == "$before" ]] || die "CRDs of another owner were touched"
helm uninstall q --namespace strict >/dev/null 2>&1
[[ $(crds) == "$before" ]] || die "uninstalling touched CRDs of another owner"
ok "CRDs of another owner are not touched by install, upgrade and uninstall"

printf 'chart: %d checks passed (%d s)\n' "$checks" "$SECONDS"
