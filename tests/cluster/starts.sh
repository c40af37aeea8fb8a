#!/usr/bin/env bash
# Whether a binary starts and does its work: its version, a receiver's URL and what a push would do. One for another architecture runs under
# qemu-user-static.
#
#   starts.sh BINARY
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  printf 'starts: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}
binary=$1
# The field e_machine of the ELF header.
case $(od -An -tx1 -j18 -N1 "$binary" | tr -d ' ') in
  3e) machine=x86_64 ;;
  b7) machine=aarch64 ;;
  *) die "$binary is for neither x86_64 nor aarch64" ;;
esac
run=("$binary") how="on this machine"
if [[ $machine != "$(uname -m)" ]]; then
  if ! command -v "qemu-$machine-static" >/dev/null; then
    if [[ ${QUAYSIDE_TEST_PROGRAMS:-} == required ]]; then die "qemu-$machine-static is not installed" "Debian: apt-get install qemu-user-static"; fi
    printf 'starts: NOT TESTED: qemu-%s-static is not installed (Debian: apt-get install qemu-user-static)\n' "$machine" >&2
    exit
  fi
  run=("qemu-$machine-static" "$binary") how="under qemu-$machine-static"
fi

version=$(awk -F '"' '/^version = / { print $2; exit }' Cargo.toml)
said=$("${run[@]}" --version)
[[ $said == "quayside $version" ]] || die "--version says '$said', not 'quayside $version'"
# The formula of a receiver's URL, not taken from our own code.
url=https://hooks.example.com/quay/$(printf kargo-demoquaysoylent | sha256sum | cut -d' ' -f1)
said=$(printf soylent | "${run[@]}" url quay --base-url https://hooks.example.com --project kargo-demo --name quay --secret-file -)
[[ $said == *"$url"* ]] || die "url says '$said', not '$url'"
said=$(printf '{"docker_url":"quay.io/northwind/storefront","updated_tags":["1.4.2"]}' | "${run[@]}" explain -f examples/quay --body -)
[[ $said == *"Warehouse kargo-demo/storefront: would be refreshed"* ]] || die "explain says: $said"
printf 'starts: the binary for %s gives its version, a URL and an explanation %s\n' "$machine" "$how"
