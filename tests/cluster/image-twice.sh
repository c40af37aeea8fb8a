#!/usr/bin/env bash
# Builds the image once more, from a copy of the binary with another time and in another folder, and fails unless it is the same image.
# Also looks at its labels.
#
#   image-twice.sh CONTEXT IMAGE ARCHIVE     what image.sh was given, with the same environment
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
context=$1 image=$2 archive=$3

die() {
  printf 'image: error: %s\n' "$*" >&2
  exit 1
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/quayside-image.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/again/target/image"
cp "$context/Dockerfile" "$dir/again"
install -m 755 "$context/target/image/quayside" "$dir/again/target/image/quayside"
touch -d '2001-02-03 04:05:06 UTC' "$dir/again/target/image/quayside"
IMAGE_KEEP=no "$here/image.sh" "$dir/again" "$image" "$dir/again.tar"

# The digest of the configuration, which names the layers by theirs, is the image's id.
config() { tar -xOf "$1" manifest.json | grep -o '"Config":"[^"]*"' | cut -d'"' -f4; }
first=$(config "$archive") second=$(config "$dir/again.tar")
[[ -n $first && $first == "$second" ]] || die "two builds from one binary are two images, $first and $second"
for label in title version revision licenses; do
  tar -xOf "$archive" "$first" | grep -q "\"org.opencontainers.image.$label\":\"[^\"]" || die "the image has no label org.opencontainers.image.$label"
done
printf 'image: two builds from one binary are one image, %s\n' "${first%.json}"
