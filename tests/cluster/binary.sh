#!/usr/bin/env bash
# Builds the static binary of the image for amd64 or arm64, with nothing of this machine in it: two machines with the same compiler get the
# same bytes. Prints where it is.
#
#   binary.sh ARCH
#
# For the other architecture it takes its linker and C library (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross, or the same with
# x86-64 and amd64) and `rustup target add`.
#
#   CARGO_TARGET_DIR    as Cargo has it; default target
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  printf 'binary: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}
[[ $(uname -s) == Linux ]] || die "the static binary is built on Linux" "run this there, or in a container with Rust"
case ${1:-} in
  amd64) machine=x86_64 gnu=x86-64-linux-gnu ;;
  arm64) machine=aarch64 gnu=aarch64-linux-gnu ;;
  *) die "ARCH is '${1:-}'" "known: amd64 arm64" ;;
esac
target=$machine-unknown-linux-gnu

if [[ $machine != "$(uname -m)" ]]; then
  compiler=$machine-linux-gnu-gcc
  command -v "$compiler" >/dev/null || die "$compiler is not installed" "Debian: apt-get install gcc-$gnu libc6-dev-$1-cross"
  variable=${target//-/_}
  export "CARGO_TARGET_${variable^^}_LINKER=$compiler" "CC_$variable=$compiler" "AR_$variable=$machine-linux-gnu-ar"
fi
[[ -d $(rustc --print target-libdir --target "$target") ]] || die "Rust's standard library for $target is not installed" "rustup target add $target"

flags="-C target-feature=+crt-static"
# The table of relocations takes a megabyte less when it is packed. The linker can do that for x86-64, and the C library reads it since 2.36.
if [[ $machine == x86_64 && $(printf '2.36\n%s\n' "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -V | head -n 1) == 2.36 ]]; then
  flags+=" -C link-arg=-Wl,-z,pack-relative-relocs"
fi
cargo fetch --quiet --locked --target "$target"
target_dir=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd -P)
crates=$(find "$(cd "${CARGO_HOME:-$HOME/.cargo}" && pwd -P)/registry/src" -mindepth 1 -maxdepth 1 -type d)
# mimalloc says when it was compiled. Not the time of the commit, because Cargo does not compile it again for that.
SOURCE_DATE_EPOCH=0 REMAP_SOURCE=$PWD REMAP_TARGET=$target_dir REMAP_CRATES=$crates RUSTC_WRAPPER=$PWD/tests/cluster/rustc.sh \
  CARGO_TARGET_DIR=$target_dir RUSTFLAGS=$flags cargo build --release --locked --target "$target" >&2

binary=$target_dir/$target/release/quayside
while IFS= read -r folder; do
  if grep -aqF -e "$folder/" "$binary"; then die "the binary names a folder of this machine, $folder" "see tests/cluster/rustc.sh, and for C code its CFLAGS"; fi
done < <(printf '%s\n%s\n%s\n' "$PWD" "$target_dir" "$crates")
printf '%s\n' "$binary"
