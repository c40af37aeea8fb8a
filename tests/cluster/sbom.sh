#!/usr/bin/env bash
# `make sbom`: the list of what is in the binary, from Cargo.lock, as CycloneDX 1.5. Fails if a crate of the binary is not in it.
#
#   sbom.sh FILE
#
#   SOURCE_DATE_EPOCH    the time that it bears
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
file=$1 target=$(uname -m)-unknown-linux-gnu

die() {
  printf 'sbom: error: %s\n' "$*" >&2
  exit 1
}
cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --override-filename quayside.cdx
# Not the folder of this machine.
sed "s|path+file://$PWD|path+file:///quayside|g" quayside.cdx.json >"$file"
rm quayside.cdx.json
# Every crate, as name@version.
listed=$(grep -oE '"purl": "pkg:cargo/[^"?]+' "$file" | sed 's|.*pkg:cargo/||' | sort -u)
linked=$(cargo tree --locked --target "$target" --edges normal --prefix none --format '{p}' | awk '{ sub(/^v/, "", $2); print $1 "@" $2 }' | sort -u)
missing=$(comm -13 <(printf '%s\n' "$listed") <(printf '%s\n' "$linked"))
[[ -z $missing ]] || die "these crates are in the binary and not in the list: $missing"
printf 'sbom: %s lists %d crates; all %d of the binary are among them\n' "$file" "$(wc -l <<<"$listed")" "$(wc -l <<<"$linked")"
