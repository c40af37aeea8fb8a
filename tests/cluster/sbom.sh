#!/usr/bin/env bash
# `make sbom`: the list of what is in the binary, as CycloneDX 1.5, from what Cargo says of Cargo.lock. The same file for the same commit.
# Crates that only generate code or run during the build have the scope "excluded". Fails if a crate is in the binary and not in the list.
#
#   sbom.sh FILE ARCH [BINARY]     BINARY, if it is given, is searched for crates
#
#   SOURCE_DATE_EPOCH    the time that it bears
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
file=$1 binary=${3:-}

die() {
  printf 'sbom: error: %s\n' "$*" >&2
  exit 1
}
case $2 in
  amd64) target=x86_64-unknown-linux-gnu ;;
  arm64) target=aarch64-unknown-linux-gnu ;;
  *) die "ARCH is '$2', known: amd64 arm64" ;;
esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-sbom.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# Every crate, as name@version.
tree() { cargo tree --locked --target "$target" --edges "$1" --prefix none --format '{p}' | awk '{ sub(/^v/, "", $2); print $1 "@" $2 }' | sort -u; }
tree normal,no-proc-macro >"$dir/linked"
tree normal,build >"$dir/all"
# The checksums of Cargo.lock, which `cargo metadata` leaves out.
awk -F '"' '/^\[\[package\]\]/ { name = version = "" } /^name = / { name = $2 } /^version = / { version = $2 } /^checksum = / { print name "@" version, $2 }' \
  Cargo.lock >"$dir/checksums"
cargo metadata --format-version 1 --locked --filter-platform "$target" >"$dir/metadata"

jq --sort-keys --rawfile linked "$dir/linked" --rawfile all "$dir/all" --rawfile checksums "$dir/checksums" \
  --argjson time "${SOURCE_DATE_EPOCH:-0}" '
  def lines: split("\n") | map(select(. != ""));
  def set: map({key: ., value: true}) | from_entries;
  def name: "\(.name)@\(.version)";
  def purl: "pkg:cargo/\(name)";
  ($linked | lines | set) as $linked | ($all | lines | set) as $all
  | ($checksums | lines | map(split(" ") | {key: .[0], value: .[1]}) | from_entries) as $checksums
  | .resolve.root as $root
  | (.packages | map(select(.id == $root or $all[name])) | sort_by(.name, .version)) as $packages
  | ($packages | map({key: .id, value: purl}) | from_entries) as $purls
  | def component: {
      type: "library", "bom-ref": purl, purl: purl, name: .name, version: .version,
      scope: (if $linked[name] then "required" else "excluded" end),
      licenses: (if .license then [{expression: (.license | gsub("/"; " OR "))}] else null end),
      hashes: (if $checksums[name] then [{alg: "SHA-256", content: $checksums[name]}] else null end),
      description: .description,
      externalReferences: (if .repository then [{type: "vcs", url: .repository}] else null end)
    } | with_entries(select(.value != null));
  {
    bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
    metadata: {
      timestamp: ($time | todate),
      component: ($packages[] | select(.id == $root) | component + {type: "application"} | del(.scope))
    },
    components: ($packages | map(select(.id != $root) | component)),
    dependencies: (
      .resolve.nodes | map(select($purls[.id]) | {ref: $purls[.id], dependsOn: ([.deps[].pkg | $purls[.] // empty] | unique)}) | sort_by(.ref)
    )
  }' "$dir/metadata" >"$dir/sbom"

jq -r '.metadata.component, .components[] | select(.scope != "excluded") | "\(.name)@\(.version)"' "$dir/sbom" | sort -u >"$dir/listed"
cmp -s "$dir/listed" "$dir/linked" || die "the list is not what cargo tree says: $(comm -3 "$dir/listed" "$dir/linked" | paste -sd' ')"
jq -e '[.components[] | select((.hashes | length) != 1 or (.licenses | length) != 1)] | length == 0' "$dir/sbom" >/dev/null ||
  die "crates without a checksum or a licence: $(jq -c '[.components[] | select((.hashes | length) != 1 or (.licenses | length) != 1) | .name]' "$dir/sbom")"
if [[ -n $binary ]]; then
  # Messages of panics name the files that they are from, which is evidence that does not come from Cargo.
  grep -aoE '/crates/[A-Za-z0-9_-]+-[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*/' "$binary" | sed -E 's|^/crates/(.*)-([0-9]+\.[0-9]+\.[0-9]+.*)/$|\1@\2|' | sort -u >"$dir/seen"
  (($(wc -l <"$dir/seen") > 20)) || die "$binary names only $(wc -l <"$dir/seen") crates; was it built by tests/cluster/binary.sh?"
  missing=$(comm -23 "$dir/seen" "$dir/listed")
  [[ -z $missing ]] || die "these crates are in the binary and not in the list: $missing"
fi
mv "$dir/sbom" "$file"
printf 'sbom: %s lists %d crates, %d of them linked into the binary%s\n' "$file" "$(jq '.components | length + 1' "$file")" "$(wc -l <"$dir/linked")" \
  "${binary:+; all $(wc -l <"$dir/seen") that it names are among these}"
