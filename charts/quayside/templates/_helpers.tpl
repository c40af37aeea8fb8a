{{- define "quayside.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of nearly every object: the release's, with the chart's in it once. Short enough for the suffixes. */}}
{{- define "quayside.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What runs the Pods. */}}
{{- define "quayside.kind" -}}
{{- ternary "StatefulSet" "Deployment" .Values.spool.persistence.enabled }}
{{- end }}

{{/*
The kind that ran the Pods of this release before, as long as the other one is not ready to take over; else empty. Helm removes what
a release no longer contains before it waits for what is new in it, so without this nobody would answer for a while. Only a chart
that can ask the cluster knows.
*/}}
{{- define "quayside.leaves" -}}
{{- $name := include "quayside.fullname" . }}
{{- $before := ternary "Deployment" "StatefulSet" .Values.spool.persistence.enabled }}
{{- $old := lookup "apps/v1" $before .Release.Namespace $name }}
{{- if eq .Release.Name (dig "metadata" "annotations" "meta.helm.sh/release-name" "" $old) }}
{{- $new := lookup "apps/v1" (include "quayside.kind" .) .Release.Namespace $name }}
{{- $wanted := dig "spec" "replicas" 1 $new | int }}
{{- if or (not $new) (lt (dig "status" "readyReplicas" 0 $new | int) $wanted) }}
{{- $before }}
{{- end }}
{{- end }}
{{- end }}

{{/* The name of every object of Kargo's own server. */}}
{{- define "quayside.kargoName" -}}
kargo-external-webhooks-server
{{- end }}

{{- define "quayside.serviceName" -}}
{{- if .Values.takeOver.enabled }}{{ include "quayside.kargoName" . }}{{ else }}{{ include "quayside.fullname" . }}{{ end }}
{{- end }}

{{- define "quayside.serviceAccountName" -}}
{{- if .Values.serviceAccount.name }}
{{- .Values.serviceAccount.name }}
{{- else if .Values.takeOver.enabled }}
{{- include "quayside.kargoName" . }}
{{- else }}
{{- include "quayside.fullname" . }}
{{- end }}
{{- end }}

{{/* cluster or bindings: who lets Quayside read Secrets. Kargo's RoleBindings name Kargo's own ServiceAccount. */}}
{{- define "quayside.secretRights" -}}
{{- if .Values.rbac.secrets }}
{{- .Values.rbac.secrets }}
{{- else if and .Values.takeOver.enabled (eq (include "quayside.serviceAccountName" .) (include "quayside.kargoName" .)) -}}
bindings
{{- else -}}
cluster
{{- end }}
{{- end }}

{{- define "quayside.selectorLabels" -}}
app.kubernetes.io/name: {{ include "quayside.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "quayside.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "quayside.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "quayside.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The host of baseUrl as Ingress and HTTPRoute want it: without port, in lower case. */}}
{{- define "quayside.host" -}}
{{- (urlParse .Values.baseUrl).hostname | lower }}
{{- end }}

{{/* The path of baseUrl as a path to route: never empty, no slash at the end. */}}
{{- define "quayside.path" -}}
{{- (urlParse .Values.baseUrl).path | trimSuffix "/" | default "/" }}
{{- end }}

{{/* The port of the Service for senders. */}}
{{- define "quayside.port" -}}
{{- .Values.service.port | default (ternary 443 80 .Values.tls.enabled) | int }}
{{- end }}

{{- define "quayside.scheme" -}}
{{- ternary "https" "http" .Values.tls.enabled }}
{{- end }}

{{/* The Secret with the certificate. */}}
{{- define "quayside.tlsSecret" -}}
{{- .Values.tls.secretName | default (printf "%s-tls" (include "quayside.fullname" .)) }}
{{- end }}

{{/* What the drain may take, and a little to end. */}}
{{- define "quayside.drainSeconds" -}}
{{- add (.Values.drain.delaySeconds | int) (mul 2 (.Values.drain.timeoutSeconds | int)) 5 }}
{{- end }}

{{/* Whether client certificates of authorities are trusted, presented here or to a proxy; empty if not. */}}
{{- define "quayside.clientCA" -}}
{{- if and (or .Values.tls.enabled .Values.clientCertHeader) (or .Values.tls.clientCA.secretName .Values.tls.clientCA.configMapName) }}true{{ end }}
{{- end }}

{{/* Whole folders, not single files: only those change with the Secret. */}}
{{- define "quayside.volumeMounts" -}}
- name: spool
  mountPath: /var/lib/quayside
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- if .Values.tls.enabled }}
- name: tls
  mountPath: /etc/quayside/tls
  readOnly: true
{{- end }}
{{- if include "quayside.clientCA" . }}
- name: client-ca
  mountPath: /etc/quayside/client-ca
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What the kubelet would mount by itself, but with the audience and the expiry that were chosen. */}}
{{- define "quayside.tokenVolume" }}
- name: token
  projected:
    sources:
    - serviceAccountToken:
        path: token
        expirationSeconds: {{ .token.expirationSeconds | int }}
        {{- with .token.audience }}
        audience: {{ . | quote }}
        {{- end }}
    - configMap:
        name: kube-root-ca.crt
        items: [{key: ca.crt, path: ca.crt}]
    - downwardAPI:
        items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end }}

{{- define "quayside.volumes" -}}
{{- if not .Values.spool.persistence.enabled }}
- name: spool
  emptyDir:
    sizeLimit: {{ .Values.spool.sizeLimit | quote }}
{{- end }}
{{- include "quayside.tokenVolume" (dict "token" .Values.serviceAccount.token) }}
{{- if .Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ include "quayside.tlsSecret" . }}
{{- end }}
{{- if include "quayside.clientCA" . }}
- name: client-ca
  {{- with .Values.tls.clientCA.secretName }}
  secret:
    secretName: {{ . }}
  {{- end }}
  {{- with .Values.tls.clientCA.configMapName }}
  configMap:
    name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The environment by which the chart configures the binary. Not arguments, so that those in extraArgs win. */}}
{{- define "quayside.env" -}}
- name: EXTERNAL_WEBHOOK_SERVER_BASE_URL
  value: {{ .Values.baseUrl | quote }}
- name: SYSTEM_RESOURCES_NAMESPACE
  value: {{ .Values.systemNamespace | quote }}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: QUAYSIDE_CATCH_UP_AFTER
  value: {{ .Values.catchUp.after | quote }}
- name: QUAYSIDE_CATCH_UP_RATE
  value: {{ .Values.catchUp.rate | int | quote }}
- name: QUAYSIDE_ALLOW_SHA1_SIGNATURES
  value: {{ .Values.allowSHA1Signatures | quote }}
- name: QUAYSIDE_LISTEN
  value: {{ printf "%s:8080" .Values.listenAddress | quote }}
- name: QUAYSIDE_ADMIN_LISTEN
  value: {{ printf "%s:9090" .Values.listenAddress | quote }}
{{- with .Values.namespaces }}
- name: QUAYSIDE_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.excludedNamespaces }}
- name: QUAYSIDE_EXCLUDED_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- if kindIs "bool" .Values.clusterReceivers }}
- name: QUAYSIDE_CLUSTER_RECEIVERS
  value: {{ ternary "on" "off" .Values.clusterReceivers | quote }}
{{- end }}
{{- with .Values.registryAliases }}
- name: QUAYSIDE_REGISTRY_ALIASES
  value: {{ join "," . | quote }}
{{- end }}
- name: QUAYSIDE_ACK_DEADLINE
  value: {{ .Values.ackDeadline | quote }}
- name: QUAYSIDE_SPOOL_DIR
  value: /var/lib/quayside
- name: QUAYSIDE_REFRESH_CONCURRENCY
  value: {{ .Values.refreshConcurrency | int | quote }}
- name: QUAYSIDE_LAST_REFRESH_CAUSE
  value: {{ ternary "on" "off" .Values.lastRefreshCause | quote }}
- name: QUAYSIDE_DRAIN_DELAY
  value: {{ printf "%ds" (.Values.drain.delaySeconds | int) | quote }}
- name: QUAYSIDE_DRAIN_TIMEOUT
  value: {{ printf "%ds" (.Values.drain.timeoutSeconds | int) | quote }}
- name: QUAYSIDE_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
- name: QUAYSIDE_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
{{- if .Values.tls.enabled }}
- name: QUAYSIDE_TLS_CERT
  value: /etc/quayside/tls/tls.crt
- name: QUAYSIDE_TLS_KEY
  value: /etc/quayside/tls/tls.key
{{- end }}
{{- if include "quayside.clientCA" . }}
- name: QUAYSIDE_TLS_CLIENT_CA
  value: {{ printf "/etc/quayside/client-ca/%s" .Values.tls.clientCA.key | quote }}
{{- end }}
{{- with .Values.tls.clientFingerprints }}
- name: QUAYSIDE_TLS_CLIENT_FINGERPRINT
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.clientCertHeader }}
- name: QUAYSIDE_CLIENT_CERT_HEADER
  value: {{ . | quote }}
{{- end }}
{{- with .Values.trustedProxies }}
- name: QUAYSIDE_TRUSTED_PROXIES
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}

{{/* Of what `helm test` brings. Its Pod has another name than the replicas, or the Services would lead to it. */}}
{{- define "quayside.testMetadata" -}}
labels:
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
  app.kubernetes.io/name: {{ include "quayside.name" . }}-test
  app.kubernetes.io/instance: {{ .Release.Name }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  {{- with .Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* What the schema cannot say, or not in words that help. */}}
{{- define "quayside.validate" -}}
{{- if not .Values.baseUrl }}
{{- fail "baseUrl is required: the public URL under which senders reach the receivers, for example --set baseUrl=https://hooks.example.com" }}
{{- end }}
{{- if not (regexMatch "^https?://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?$" .Values.baseUrl) }}
{{- fail (printf "baseUrl %q is not http(s)://host[:port][/path]: no user, query or fragment, and in the path only letters, digits and - _ . ~ with single slashes" (regexReplaceAll "//[^/]*@" .Values.baseUrl "//…@")) }}
{{- end }}
{{- if regexMatch "/\\.\\.?(/|$)" .Values.baseUrl }}
{{- fail (printf "baseUrl %q has . or .. in its path, which proxies rewrite: write the path they stand for" .Values.baseUrl) }}
{{- end }}
{{- if not .Values.image.repository }}
{{- fail "image.repository is required: where you pushed the image that `make image` built, for example --set image.repository=registry.example.com/platform/quayside" }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.name is required with serviceAccount.create=false: the ServiceAccount to use" }}
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
{{- fail "service.nodePort is set, but service.type is ClusterIP: set service.type=NodePort, or leave service.nodePort out" }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" (include "quayside.host" .))) }}
{{- fail (printf "Ingress and HTTPRoute need a host name, and the host of baseUrl %q is none: give a name, or route to the Service yourself" .Values.baseUrl) }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (regexMatch "^[0-9.]+$" (include "quayside.host" .)) }}
{{- fail (printf "Ingress and HTTPRoute need a host name, and the host of baseUrl %q is an address: give a name, or route to the Service yourself" .Values.baseUrl) }}
{{- end }}
{{- if and .Values.ingress.enabled .Values.ingress.tls.enabled (not (hasPrefix "https://" .Values.baseUrl)) }}
{{- fail "ingress.tls.enabled is true, but baseUrl begins with http://, and many Ingress controllers then redirect, which loses deliveries: give an https baseUrl, or set ingress.tls.enabled=false" }}
{{- end }}
{{- if and .Values.tls.enabled (not .Values.tls.secretName) (not .Values.tls.certificate.enabled) }}
{{- fail "tls.secretName is required with tls.enabled=true: the Secret of the type kubernetes.io/tls with the certificate, or tls.certificate.enabled=true for one of cert-manager's" }}
{{- end }}
{{- if and .Values.tls.certificate.enabled (not .Values.tls.certificate.issuerRef.name) }}
{{- fail "tls.certificate.issuerRef is required with tls.certificate.enabled=true: the Issuer or ClusterIssuer, for example --set tls.certificate.issuerRef.name=letsencrypt,tls.certificate.issuerRef.kind=ClusterIssuer" }}
{{- end }}
{{- if and (not .Values.tls.enabled) (or .Values.tls.secretName .Values.tls.certificate.enabled) }}
{{- fail "tls has a Secret, a certificate, a clientCA or clientFingerprints, but is not enabled: set tls.enabled=true, too" }}
{{- end }}
{{- if and (not .Values.tls.enabled) (not .Values.clientCertHeader) (or .Values.tls.clientCA.secretName .Values.tls.clientCA.configMapName .Values.tls.clientFingerprints) }}
{{- fail "tls has a Secret, a certificate, a clientCA or clientFingerprints, but is not enabled: set tls.enabled=true, too, or clientCertHeader and trustedProxies where a proxy ends TLS" }}
{{- end }}
{{- if and .Values.clientCertHeader (not .Values.trustedProxies) }}
{{- fail "trustedProxies is required with clientCertHeader: the networks of the proxies that set the header, for example --set 'trustedProxies={10.244.0.0/16}', because anybody else could write it as well" }}
{{- end }}
{{- if and .Values.trustedProxies (not .Values.clientCertHeader) }}
{{- fail "clientCertHeader is required with trustedProxies: the header in which the proxies pass on client certificates, for example --set clientCertHeader=X-SSL-Client-Cert" }}
{{- end }}
{{- if and .Values.tls.clientCA.secretName .Values.tls.clientCA.configMapName }}
{{- fail "tls.clientCA has a secretName and a configMapName: give the one that holds the authorities" }}
{{- end }}
{{- if and (or .Values.namespaces .Values.excludedNamespaces) (not (kindIs "bool" .Values.clusterReceivers)) }}
{{- fail "clusterReceivers is required with namespaces or excludedNamespaces: true in the one release that serves the receivers of ClusterConfigs and ClusterReceivers, false in the others" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs is required with httpRoute.enabled=true: the Gateways to attach to, for example --set 'httpRoute.parentRefs[0].name=public'" }}
{{- end }}
{{- with .Values.terminationGracePeriodSeconds }}
{{- if lt (. | int) (include "quayside.drainSeconds" $ | int) }}
{{- fail (printf "terminationGracePeriodSeconds is %d, but the drain may take %s: the delay, twice the time-out, and 5 s to end. Give as much, or shorten drain.delaySeconds or drain.timeoutSeconds" (. | int) (include "quayside.drainSeconds" $)) }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
{{- if regexMatch "^--drain-(delay|timeout)" . }}
{{- fail (printf "extraArgs holds %s, which terminationGracePeriodSeconds would not follow: use drain.delaySeconds and drain.timeoutSeconds" .) }}
{{- end }}
{{- end }}
{{- if and (eq .Values.listenAddress "0.0.0.0") (or (has "IPv6" .Values.service.ipFamilies) (hasSuffix "DualStack" .Values.service.ipFamilyPolicy)) }}
{{- fail "the Service may have IPv6, but listenAddress 0.0.0.0 takes IPv4 only: set listenAddress=[::], which takes both" }}
{{- end }}
{{- range $label, $_ := .Values.commonLabels }}
{{- if has $label (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "app.kubernetes.io/component" "helm.sh/chart") }}
{{- fail (printf "commonLabels sets %s, which the chart sets itself: leave it out" $label) }}
{{- end }}
{{- end }}
{{- $own := list }}
{{- range include "quayside.env" . | fromYamlArray }}{{ $own = append $own .name }}{{ end }}
{{- range .Values.extraEnv }}
{{- if has .name $own }}
{{- fail (printf "extraEnv sets %s, which the chart sets itself: use the chart's value for it, or the flag in extraArgs" .name) }}
{{- end }}
{{- end }}
{{- end }}
