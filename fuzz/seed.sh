#!/usr/bin/env bash
# Fills fuzz/corpus from the recorded cases, so that no copy of them is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
fixtures=../tests/fixtures
while IFS= read -r target; do mkdir -p "corpus/$target"; done < <(sed -n 's/^path = "fuzz_targets\/\(.*\)\.rs"$/\1/p' Cargo.toml)

kinds=$(grep -c '^pub mod ' ../src/receiver/kinds/mod.rs)
count=0
while IFS= read -r file; do
  count=$((count + 1))
  cp "$file" "corpus/quay/payload-$count"
  printf '{"event":"repo_push","token":"t","data":%s}' "$(cat "$file")" >"corpus/envelope/payload-$count"
  for ((kind = 0; kind < kinds; kind++)); do
    { printf '%b' "\\x$(printf %02x "$kind")"; cat "$file"; } >"corpus/receiver/payload-$count-$kind"
  done
done < <(find "$fixtures/payloads" -name '*.json')
# One file for every distinct text of a member: fill TARGET FILE MEMBER
fill() {
  zcat "$fixtures/vectors/$2.jsonl.gz" | grep -oE "\"$3\": \"([^\"\\\\]|\\\\.)*\"" | sed -E "s/^\"$3\": \"(.*)\"$/\\1/" | sort -u | sed -n 1,400p |
    split --lines=1 --suffix-length=4 --additional-suffix="-$3" - "corpus/$1/"
}
fill repository urls in
fill constraint semver constraint
fill regex patterns pattern
fill path paths path
fill expression expressions expr
fill expression templates template
fill glob patterns pattern
zcat $fixtures/vectors/subscriptions.jsonl.gz | sed -nE 's/.*"warehouse": \{.*"spec": (\{.*\})\}.*/\1/p' | sed -n 1,400p |
  split --lines=1 --suffix-length=4 --additional-suffix=-spec - corpus/warehouse/
printf '%s\n%s' '{"keys":[{"kty":"RSA","kid":"k","n":"_","e":"AQAB"}]}' 'eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA' >corpus/oidc/token
printf '%s\n%s' 'required' 'sha256 Fingerprint=00:11' >corpus/client_certificate/rule
printf '%s' 'Hash=0f;Cert="-----BEGIN%20CERTIFICATE-----%0AMIIB%0A-----END%20CERTIFICATE-----%0A";Subject="CN=\"a"' >corpus/client_certificate/envoy
printf '%s' ':MIIB:' >corpus/client_certificate/standard
printf '%s' 'MIIB%2CMIIB' >corpus/client_certificate/traefik
printf '%s\n%s\n%s' 'user:password' 'Basic dXNlcjpwYXNzd29yZA==' '{"token":"user:password"}' >corpus/credentials/basic
# shellcheck disable=SC2016 # the template is not the shell's
printf '%s\n%s' '{"secretRef":{"name":"s"},"actions":[{"action":"Refresh","whenExpression":"request.body.a matches \"^b\"","targetSelectionCriteria":[{"kind":"Warehouse","name":"${{ request.body.a }}"}]}]}' '{"a":"b"}' >corpus/generic/action
printf '/quay/0123\ncontent-type:application/json\n\0{"docker_url":"quay.io/a/b"}' >corpus/spool_row/request
