#!/usr/bin/env bash
# `make provenance`: how the image was built, as an in-toto statement with the predicate SLSA provenance v1. What is signed is the predicate:
# see RELEASING.md.
#
#   provenance.sh ARCHIVE BINARY FILE ARCH
#
#   IMAGE                what the image is called
#   IMAGE_REVISION       the commit
#   SOURCE_DATE_EPOCH    the time of everything in the image
#   BUILDER_ID           a URI for the one who builds, such as the workflow's; default one for "a person's machine"
#   SOURCE_URI           where the repository is; default the address of the remote `origin`, if there is one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
archive=$1 binary=$2 file=$3

sum() { sha256sum "$1" | cut -d' ' -f1; }
# An address may hold the credentials by which one fetches.
source=${SOURCE_URI:-$(git config --get remote.origin.url | sed -E 's|^([a-z+]+://)[^/@]*@|\1|' || true)}
dirty=false
if [[ -n $(git status --porcelain) ]]; then
  dirty=true
  printf 'provenance: note: there are changes that are not committed, and the statement says so; release from a clean checkout\n' >&2
fi
files=$(for input in Cargo.lock Cargo.toml rust-toolchain.toml Dockerfile Makefile; do
  jq -n --arg name "$input" --arg sum "$(sum "$input")" '{name: $name, digest: {sha256: $sum}}'
done | jq -s .)

jq -n --sort-keys --arg image "$IMAGE" --arg revision "$IMAGE_REVISION" --arg source "$source" --argjson dirty "$dirty" --argjson files "$files" \
  --arg archive "$(basename "$archive")" --arg archive_sum "$(sum "$archive")" --arg binary_sum "$(sum "$binary")" --arg arch "$4" \
  --arg epoch "${SOURCE_DATE_EPOCH:-0}" --arg finished "$(date -u -r "$archive" +%Y-%m-%dT%H:%M:%SZ)" --arg builder "${BUILDER_ID:-https://quayside.dev/builders/local}" \
  --arg rustc "$(rustc --version)" --arg cargo "$(cargo --version)" --arg cc "$(cc --version | head -n 1)" '{
  _type: "https://in-toto.io/Statement/v1",
  subject: [{name: $archive, digest: {sha256: $archive_sum}}, {name: "quayside", digest: {sha256: $binary_sum}}],
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: {
    buildDefinition: {
      buildType: "https://quayside.dev/builds/make-image/v1",
      externalParameters: {command: "make image", image: $image, architecture: $arch, source: $source, revision: $revision, uncommittedChanges: $dirty},
      internalParameters: {SOURCE_DATE_EPOCH: $epoch},
      # The crates are those of Cargo.lock, with their checksums; beneath the binary there is nothing (FROM scratch).
      resolvedDependencies: ([{name: "source", digest: {gitCommit: $revision}} + (if $source == "" then {} else {uri: $source} end)] + $files)
    },
    runDetails: {
      builder: {id: $builder, version: {rustc: $rustc, cargo: $cargo, cc: $cc}},
      metadata: {finishedOn: $finished},
      byproducts: [{name: $archive, digest: {sha256: $archive_sum}}, {name: "quayside", digest: {sha256: $binary_sum}}]
    }
  }
}' >"$file"
printf 'provenance: %s\n' "$file"
