#!/usr/bin/env bash
# Builds a container image with docker, podman or buildah, whichever works here, and saves it as a docker archive.
#
#   image.sh CONTEXT IMAGE ARCHIVE
#
# CONTEXT is a directory with a Dockerfile. Prints progress on standard error, and nothing else.
#
#   IMAGE_BUILDER=docker|podman|buildah    takes this one
#   IMAGE_KEEP=no                          leaves the image in the archive only, not in the builder's store
#   IMAGE_VERSION, IMAGE_REVISION          what its labels say
#   IMAGE_ARCH=amd64|arm64                 what it says that it is for; default this machine's
#   SOURCE_DATE_EPOCH                      the time of everything in it, in seconds since 1970; default 0. So the same context gives the
#                                          same image, whenever and by whomever it is built
set -euo pipefail

die() {
  printf 'image: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}
[[ $# == 3 ]] || die "usage: image.sh CONTEXT IMAGE ARCHIVE"
context=$1 image=$2 archive=$3

# A docker or podman that is installed may still have no daemon to talk to.
works() {
  case $1 in
    docker | podman) command -v "$1" >/dev/null && "$1" info >/dev/null 2>&1 ;;
    buildah) command -v buildah >/dev/null ;;
    *) die "IMAGE_BUILDER=$1 is unknown" "known: docker podman buildah" ;;
  esac
}
builder=
for candidate in ${IMAGE_BUILDER:-docker podman buildah}; do
  if works "$candidate"; then
    builder=$candidate
    break
  fi
done
[[ -n $builder ]] || die "neither docker nor podman nor buildah works here" \
  "install one of them (Debian: apt-get install buildah, which needs no daemon), or start the Docker daemon"

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
arguments=()
for label in VERSION REVISION; do
  name=IMAGE_$label
  if [[ -n ${!name:-} ]]; then arguments+=(--build-arg "$label=${!name}"); fi
done

if [[ -n ${IMAGE_ARCH:-} ]]; then arguments+=(--platform "linux/$IMAGE_ARCH"); fi

mkdir -p "$(dirname "$archive")"
rm -f "$archive.new" # an archive is not written over
# A builder says much; it is shown if something fails.
log=$(mktemp "${TMPDIR:-/tmp}/quayside-image.XXXXXX")
trap 'rm -f "$log" "$archive.new"' EXIT
run() {
  "$@" >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    die "this failed: $*"
  }
}
printf 'image: building %s with %s\n' "$image" "$builder" >&2
case $builder in
  docker)
    # Only BuildKit's exporters can set the times of the files. The default one of an old daemon cannot.
    if docker buildx version >/dev/null 2>&1; then
      run docker buildx build --provenance=false "${arguments[@]}" --output "type=docker,dest=$archive.new,name=$image,rewrite-timestamp=true" "$context"
      run docker load --input "$archive.new"
    else
      run docker build "${arguments[@]}" --tag "$image" "$context"
      run docker save --output "$archive.new" "$image"
    fi
    ;;
  podman)
    run podman build --timestamp "$SOURCE_DATE_EPOCH" "${arguments[@]}" --tag "$image" "$context"
    run podman save --format docker-archive --output "$archive.new" "$image"
    ;;
  buildah)
    # Neither of these needs more than root: no overlay mounts, no namespaces.
    export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
    run buildah bud --isolation chroot --layers=false --timestamp "$SOURCE_DATE_EPOCH" "${arguments[@]}" --tag "$image" "$context"
    run buildah push "$image" "docker-archive:$archive.new:$image"
    ;;
esac
if [[ ${IMAGE_KEEP:-yes} == no ]]; then run "$builder" rmi "$image"; fi
mv "$archive.new" "$archive"
