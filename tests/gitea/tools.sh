#!/usr/bin/env bash
# Prints a directory that holds gitea (the program, and the templates and options that it reads), building it with Go the first
# time from the version that go.mod pins: about 5 minutes on 2 idle cores, with a C compiler for SQLite. It is kept in
# ${XDG_CACHE_HOME:-$HOME/.cache}/quayside/gitea/<key>.
#
# Only the directory goes to stdout; progress goes to stderr. Safe to run several at once.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'gitea: %s (%d s)\n' "$*" "$SECONDS" >&2; }
die() {
  printf 'gitea: error: %s\n' "$*" >&2
  exit 1
}

version=$(awk '$1 == "code.gitea.io/gitea" { print $2; exit }' "$here/go.mod")
# SQLite is C, as upstream builds it; the frontend is left out, because the tests use only the API and Git.
tags=sqlite,sqlite_unlock_notify
key=$version-$({
  cat "$here/go.mod" "$here/go.sum"
  echo "$tags"
} | cksum | cut -d' ' -f1)

[[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] ||
  die 'neither XDG_CACHE_HOME nor HOME is set; set XDG_CACHE_HOME to a directory that may keep 200 MB'
root=${XDG_CACHE_HOME:-$HOME/.cache}/quayside/gitea
dir=$root/$key

if [[ ! -x $dir/gitea ]]; then
  mkdir -p "$root"
  # One at a time: a second caller would only build the same again.
  if command -v flock >/dev/null; then
    exec {lock}>"$root/lock"
    flock -n "$lock" || { say 'another one is building; waiting for it' && flock "$lock"; }
  fi
fi
if [[ ! -x $dir/gitea ]]; then
  command -v go >/dev/null || die 'Go is missing, which builds the Gitea that the tests push to'
  command -v "${CC:-cc}" >/dev/null || die 'a C compiler is missing, which builds the SQLite of Gitea'
  new=$(mktemp -d "$root/.new.XXXXXX")
  trap 'chmod -R u+w "$new"; rm -rf "$new"' EXIT
  say "building Gitea $version with $(go env GOVERSION); this takes about 5 minutes on 2 cores"
  export GOWORK=off CGO_ENABLED=1
  nice go -C "$here" build -trimpath -tags "$tags" -ldflags "-s -w -X main.Version=${version#v}" -o "$new/gitea" \
    code.gitea.io/gitea >&2 || die "the build failed; if modules could not be fetched, set GOPROXY to one that can be reached"
  source=$(go -C "$here" list -m -f '{{.Dir}}' code.gitea.io/gitea)
  cp -R "$source/options" "$source/templates" "$source/public" "$new"
  chmod -R u+w "$new"
  mv -f "$new" "$dir"
  trap - EXIT
  say "built in $dir"
fi
echo "$dir"
