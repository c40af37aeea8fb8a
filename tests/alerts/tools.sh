#!/usr/bin/env bash
# Prints a directory that holds promtool, building it with Go the first time (about two minutes on two cores). It is kept in
# ${XDG_CACHE_HOME:-$HOME/.cache}/quayside/alerts/<version>.
#
# Only the directory goes to stdout; progress goes to stderr. Safe to run several at once.
set -euo pipefail

prometheus=v0.313.5 # the module's version of Prometheus 3.13

say() { printf 'alerts: %s (%d s)\n' "$*" "$SECONDS" >&2; }
die() {
  printf 'alerts: error: %s\n' "$1" >&2
  exit 1
}

[[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] || die "neither XDG_CACHE_HOME nor HOME is set; set XDG_CACHE_HOME to a directory that may keep 60 MB"
root=${XDG_CACHE_HOME:-$HOME/.cache}/quayside/alerts
dir=$root/prometheus-$prometheus

if [[ ! -x $dir/promtool ]]; then
  mkdir -p "$root"
  # One at a time: a second caller would only build the same again.
  if command -v flock >/dev/null; then
    exec {lock}>"$root/lock"
    flock -n "$lock" || { say 'another one is building; waiting for it' && flock "$lock"; }
  fi
fi
if [[ ! -x $dir/promtool ]]; then
  command -v go >/dev/null || die "Go is missing, which builds promtool"
  new=$(mktemp -d "$root/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  say "building promtool of Prometheus $prometheus"
  # In the module's own folder, because `go install` refuses a module that excludes versions of others. The discovery of
  # targets in clouds is most of Prometheus, and no part of testing rules.
  source=$(cd "$new" && go mod download -json "github.com/prometheus/prometheus@$prometheus" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [[ -d $source ]] || die "github.com/prometheus/prometheus@$prometheus could not be fetched"
  env -C "$source" GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -tags remove_all_sd -ldflags='-s -w' -o "$new/promtool" ./cmd/promtool >&2
  mkdir -p "$dir"
  mv -f "$new/promtool" "$dir"
  say "built in $dir"
fi
echo "$dir"
