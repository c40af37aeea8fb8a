#!/usr/bin/env bash
# Whether the statements about an image are about it: the provenance names the archive, the binary within and the commit in its labels, and
# the list of crates the version. Takes everything from the archive, nothing from the build.
#
#   attested.sh ARCHIVE PROVENANCE SBOM
set -euo pipefail
archive=$1 provenance=$2 sbom=$3

die() {
  printf 'attested: error: %s\n' "$*" >&2
  exit 1
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-attested.XXXXXX")
trap 'rm -rf "$dir"' EXIT
tar -xf "$archive" -C "$dir"
layer=$(jq -r '.[0].Layers[-1]' "$dir/manifest.json") config=$(jq -r '.[0].Config' "$dir/manifest.json")
binary=$(tar -xOf "$dir/$layer" usr/local/bin/quayside | sha256sum | cut -d' ' -f1)
label() { jq -r --arg name "org.opencontainers.image.$1" '.config.Labels[$name]' "$dir/$config"; }

for file in "$provenance" "$sbom"; do jq empty "$file" || die "$file is not JSON"; done
is() { # is WHAT FILE EXPRESSION WANTED
  local found
  found=$(jq -r "$3" "$2")
  [[ $found == "$4" ]] || die "$1: '$found' in $2, and '$4' in $archive"
}
is "the statement" "$provenance" '._type + " " + .predicateType' "https://in-toto.io/Statement/v1 https://slsa.dev/provenance/v1"
is "the archive" "$provenance" ".subject[] | select(.name == \"$(basename "$archive")\") | .digest.sha256" "$(sha256sum "$archive" | cut -d' ' -f1)"
is "the binary" "$provenance" '.subject[] | select(.name == "quayside") | .digest.sha256' "$binary"
is "the commit" "$provenance" '.predicate.buildDefinition.resolvedDependencies[] | select(.name == "source") | .digest.gitCommit' "$(label revision)"
# What SLSA requires besides.
jq -e '.predicate | [.buildDefinition.buildType, .runDetails.builder.id] | all(test("^[a-z]+:"))' "$provenance" >/dev/null || die "$provenance lacks a build type or a builder"
is "the version" "$sbom" '.metadata.component.name + "@" + .metadata.component.version' "quayside@$(label version)"
printf 'attested: provenance and SBOM are those of %s\n' "$archive"
