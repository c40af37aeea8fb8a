#!/usr/bin/env bash
# Prints a directory that holds etcd, kube-apiserver, kubectl and helm, getting first whatever is missing.
#
#   tools.sh [PROGRAM…]     extra programs: kubelet kube-proxy kube-scheduler kube-controller-manager
#
# Where they come from, first match wins:
#   1. $KUBEBUILDER_ASSETS, if it holds etcd, kube-apiserver and kubectl
#   2. our cache, ${XDG_CACHE_HOME:-$HOME/.cache}/quayside/controlplane/<key>
#   3. the published envtest archive, if the network allows (it has no helm)
#   4. a build with Go from the versions that go.mod pins, kept in the cache (about 5 minutes on 2 cores)
# helm is taken from the cache, else from PATH if its major version is the pinned one, else built.
#
# Only the directory goes to stdout; progress goes to stderr. Safe to run several at once.
#
#   CONTROLPLANE_DOWNLOAD=no        never try the envtest archive
#   CONTROLPLANE_ENVTEST_INDEX=URL  another index of envtest archives (a mirror)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
index_url=${CONTROLPLANE_ENVTEST_INDEX:-https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml}
start=$SECONDS

say() { printf 'controlplane: %s (%d s)\n' "$*" "$((SECONDS - start))" >&2; }
die() {
  printf 'controlplane: error: %s\n' "$1" >&2
  shift
  if (($#)); then printf '  %s\n' "$@" >&2; fi
  exit 1
}

package_of() {
  case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    helm) echo helm.sh/helm/v4/cmd/helm ;;
    kube-apiserver | kubectl | kubelet | kube-proxy | kube-scheduler | kube-controller-manager) echo "k8s.io/kubernetes/cmd/$1" ;;
    *) die "unknown program '$1'" "known: etcd kube-apiserver kubectl helm kubelet kube-proxy kube-scheduler kube-controller-manager" ;;
  esac
}

pinned() { awk -v module="$1" '$1 == module { print $2; exit }' "$here/go.mod"; }

wanted=(etcd kube-apiserver kubectl helm)
for program in "$@"; do
  package_of "$program" >/dev/null
  [[ " ${wanted[*]} " == *" $program "* ]] || wanted+=("$program")
done

kubernetes=$(pinned k8s.io/kubernetes)
helm=$(pinned helm.sh/helm/v4)
IFS=. read -r major minor _ <<<"${kubernetes#v}"

# Without these the server calls itself v0.0.0-master, and helm's kubeVersion check and kubectl's skew warning misfire.
ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes"
ldflags+=" -X k8s.io/component-base/version.gitMajor=$major -X k8s.io/component-base/version.gitMinor=$minor"
ldflags+=" -X k8s.io/component-base/version.gitTreeState=clean -X helm.sh/helm/v4/internal/version.version=$helm"

case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) arch=$(uname -m) ;;
esac
os=$(uname -s | tr '[:upper:]' '[:lower:]')

digest() { # sha256 or sha512 of standard input
  if command -v "sha$1sum" >/dev/null; then "sha$1sum"; else shasum -a "$1"; fi | cut -d' ' -f1
}
key=$({
  cat "$here/go.mod" "$here/go.sum"
  echo "$ldflags $os $arch"
} | digest 256)
key=${key:0:16}
[[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] || die "neither XDG_CACHE_HOME nor HOME is set" "set XDG_CACHE_HOME to a directory that may keep 300 MB"
root=${XDG_CACHE_HOME:-$HOME/.cache}/quayside/controlplane
cache=$root/$key

lacking() { # lacking DIR PROGRAM…: the programs that DIR does not hold
  local dir=$1 program
  shift
  for program in "$@"; do
    [[ -x $dir/$program ]] || printf '%s\n' "$program"
  done
}

assets=
if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
  missing=$(lacking "$KUBEBUILDER_ASSETS" etcd kube-apiserver kubectl | tr '\n' ' ')
  if [[ -z $missing ]]; then
    assets=$(cd "$KUBEBUILDER_ASSETS" && pwd)
    # A directory of links beside the caches, for the programs that the assets lack come from there.
    dir=$root/$key-assets-$(digest 256 <<<"$assets" | cut -c1-8)
  else
    say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks ${missing% }; looking elsewhere"
  fi
fi
: "${dir:=$cache}"

if [[ -n $assets && -z $(lacking "$assets" "${wanted[@]}") ]]; then
  echo "$assets"
  exit
fi
if [[ -z $assets && -z $(lacking "$dir" "${wanted[@]}") ]]; then
  echo "$dir"
  exit
fi

mkdir -p "$root" || die "cannot create the cache $root" "set XDG_CACHE_HOME to a directory that can be written"
# One at a time: a second caller would only build the same again. Without flock that is all that happens, as every file is put
# in place by one rename.
if command -v flock >/dev/null; then
  exec {lock}>"$root/lock"
  if ! flock -n "$lock"; then
    say "another tools.sh is at work; waiting for it"
    until flock -w 15 "$lock"; do say "still waiting for the other tools.sh"; done
  fi
  rm -rf "$root"/.new.* # what a killed run left; no other run is at work here
fi

new=$(mktemp -d "$root/.new.XXXXXX")
child=
cleanup() {
  if [[ -n $child ]]; then
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$new"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

put() { # put FILE NAME: into the cache, whole or not at all
  chmod 755 "$1"
  mkdir -p "$cache"
  mv -f "$1" "$cache/$2"
}

# watched LOG WHAT COMMAND…: runs the command with all its output in LOG and reports every 15 seconds how far it is.
watched() {
  local log=$1 what=$2 next=$((SECONDS + 15)) last
  shift 2
  "$@" >"$log" 2>&1 &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    if ((SECONDS >= next)); then
      next=$((SECONDS + 15))
      last=$(tail -n 1 "$log")
      say "$what${last:+, step $(wc -l <"$log"): ${last:0:90}}"
    fi
    sleep 0.2
  done
  local status=0
  wait "$child" || status=$?
  child=
  return "$status"
}

# Fails quietly: without the network the build is the way.
download() {
  [[ ${CONTROLPLANE_DOWNLOAD:-yes} != no ]] && command -v curl >/dev/null || return 1
  local index=$new/index archive=$new/envtest.tar.gz version hash url program
  curl -fsSL --connect-timeout 5 --max-time 5 -o "$index" "$index_url" 2>/dev/null || return 1
  # The newest archive of the pinned minor version; not every patch release has one.
  version=$(grep -oE "^ +v$major\.$minor\.[0-9]+:" "$index" | tr -d ' :' | sort -t. -k3,3n | tail -n 1) || true
  [[ -n $version ]] || return 1
  read -r hash url < <(awk -v name="envtest-$version-$os-$arch.tar.gz:" '
    $1 == name { found = 1; next }
    found && $1 == "hash:" { hash = $2 }
    found && $1 == "selfLink:" { url = $2 }
    found && hash != "" && url != "" { print hash, url; exit }
    found && /envtest-/ && $1 != "selfLink:" { exit }' "$index") || return 1
  say "fetching the envtest archive of Kubernetes $version"
  # A network that stalls must not hold the tests up: give up below 100 kB/s for 5 s.
  watched "$new/curl.log" "fetching" curl -fsSL --connect-timeout 5 --speed-limit 100000 --speed-time 5 -o "$archive" "$url" || {
    say "could not fetch the envtest archive; building instead"
    return 1
  }
  if [[ $(digest 512 <"$archive") != "$hash" ]]; then
    say "the envtest archive does not have the hash that its index names; building instead"
    return 1
  fi
  mkdir "$new/envtest"
  tar -xzf "$archive" -C "$new/envtest" --strip-components=2 || return 1
  [[ -z $(lacking "$new/envtest" etcd kube-apiserver kubectl) ]] || return 1
  for program in etcd kube-apiserver kubectl; do put "$new/envtest/$program" "$program"; done
}

build() { # build PROGRAM…
  command -v go >/dev/null || die "cannot build $*: Go is not installed" \
    "install Go $(awk '$1 == "go" { print $2; exit }' "$here/go.mod") or newer and run this again, or put the programs in a directory" \
    "and name it in KUBEBUILDER_ASSETS (helm: anywhere on PATH)"
  local program packages=() log=$root/build.log
  for program in "$@"; do packages+=("$(package_of "$program")"); done
  say "building $* with $(go env GOVERSION); a first build takes about 5 minutes on 2 cores"
  mkdir "$new/built"
  if ! watched "$log" "building" env -C "$here" GOWORK=off CGO_ENABLED=0 \
    go build -v -trimpath -ldflags="$ldflags" -o "$new/built/" "${packages[@]}"; then
    tail -n 20 "$log" >&2
    die "the build of $* failed; the whole log is $log" \
      "if modules could not be fetched, set GOPROXY to a module proxy that this machine can reach"
  fi
  # Go names a program after the last element of its import path that is not a version.
  if [[ -e $new/built/server ]]; then mv "$new/built/server" "$new/built/etcd"; fi
  for program in "$@"; do put "$new/built/$program" "$program"; done
  say "built $*"
}

helm_on_path() {
  local found
  found=$(command -v helm) || return 1
  [[ $("$found" version --short 2>/dev/null) == "${helm%%.*}".* ]] || return 1
  printf '%s\n' "$found"
}

have=("${wanted[@]}")
if [[ -n $assets ]]; then mapfile -t have < <(lacking "$assets" "${wanted[@]}"); fi
mapfile -t missing < <(lacking "$cache" "${have[@]}")

for program in "${missing[@]}"; do
  if [[ $program == etcd || $program == kube-apiserver || $program == kubectl ]]; then
    if download; then mapfile -t missing < <(lacking "$cache" "${have[@]}"); fi
    break
  fi
done
if [[ " ${missing[*]} " == *" helm "* ]] && found=$(helm_on_path); then
  mkdir -p "$cache"
  # A link, not a copy: it says where helm comes from. If it goes stale, it counts as missing.
  ln -sfn "$found" "$cache/helm"
  mapfile -t missing < <(lacking "$cache" "${have[@]}")
fi
if ((${#missing[@]})); then build "${missing[@]}"; fi

if [[ -n $assets ]]; then
  mkdir -p "$dir"
  for program in "${wanted[@]}"; do
    if [[ -x $assets/$program ]]; then ln -sfn "$assets/$program" "$dir/$program"; else ln -sfn "$cache/$program" "$dir/$program"; fi
  done
fi
echo "$dir"
