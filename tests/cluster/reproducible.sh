#!/usr/bin/env bash
# `make reproducible`: builds the binary of the last commit twice, as on two machines: each time in a clone, a target folder and a Cargo home
# of other names, without anything from before. Fails unless the two are the same, byte for byte. Twice as long as `make image`, and 2 GB.
#
#   reproducible.sh ARCH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  printf 'reproducible: error: %s\n' "$*" >&2
  exit 1
}
commit=$(git rev-parse HEAD)
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-reproducible.XXXXXX")
trap 'rm -rf "$dir"' EXIT
for attempt in one another-one; do
  home=$dir/$attempt
  mkdir -p "$home/cargo"
  git clone --quiet --local --no-checkout "$PWD" "$home/quayside-of-$attempt"
  git -C "$home/quayside-of-$attempt" checkout --quiet --detach "$commit"
  # The sources of the crates need not be fetched again; links, because nothing writes to them.
  cp -al "${CARGO_HOME:-$HOME/.cargo}/registry" "$home/cargo/" 2>/dev/null || cp -a "${CARGO_HOME:-$HOME/.cargo}/registry" "$home/cargo/"
  binary=$(CARGO_HOME=$home/cargo CARGO_TARGET_DIR=$home/out "$home/quayside-of-$attempt/tests/cluster/binary.sh" "$1" | tail -n 1)
  mv "$binary" "$dir/binary-$attempt"
  rm -rf "$home"
  printf 'reproducible: %s %s (%d s)\n' "$(sha256sum <"$dir/binary-$attempt" | cut -d' ' -f1)" "$attempt" "$SECONDS"
done
cmp "$dir/binary-one" "$dir/binary-another-one" || die "two builds of $commit are two binaries"
printf 'reproducible: two builds of %s in different folders are one binary\n' "${commit:0:7}"
