#!/usr/bin/env bash
# Prints a directory that holds registry (CNCF Distribution) and crane, building them with Go the first time (about a minute on an
# idle machine). They are kept in ${XDG_CACHE_HOME:-$HOME/.cache}/quayside/registry/<versions>.
#
# Only the directory goes to stdout; progress goes to stderr. Safe to run several at once.
set -euo pipefail

distribution=v3.1.2
crane=v0.22.1

say() { printf 'registry: %s (%d s)\n' "$*" "$SECONDS" >&2; }

[[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] || {
  printf 'registry: error: neither XDG_CACHE_HOME nor HOME is set; set XDG_CACHE_HOME to a directory that may keep 100 MB\n' >&2
  exit 1
}
root=${XDG_CACHE_HOME:-$HOME/.cache}/quayside/registry
dir=$root/distribution-$distribution-crane-$crane

built() { [[ -x $dir/registry && -x $dir/crane ]]; }

if ! built; then
  mkdir -p "$root"
  # One at a time: a second caller would only build the same again.
  if command -v flock >/dev/null; then
    exec {lock}>"$root/lock"
    flock -n "$lock" || { say 'another one is building; waiting for it' && flock "$lock"; }
  fi
fi
if ! built; then
  command -v go >/dev/null || {
    printf 'registry: error: Go is missing, which builds the registry that the tests push to\n' >&2
    exit 1
  }
  new=$(mktemp -d "$root/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  for package in "github.com/distribution/distribution/v3/cmd/registry@$distribution" \
    "github.com/google/go-containerregistry/cmd/crane@$crane"; do
    say "building $package"
    GOBIN=$new go install -ldflags='-s -w' "$package" >&2
  done
  mkdir -p "$dir"
  mv -f "$new"/* "$dir"
  say "built in $dir"
fi
echo "$dir"
