#!/usr/bin/env bash
# Prints a directory that holds the driver of Chromium and the rules of accessibility that the tests of the page use, getting
# them from npm the first time in the versions of package-lock.json. It is kept in
# ${XDG_CACHE_HOME:-$HOME/.cache}/quayside/page/<key>. Chromium itself is the machine's: /usr/bin/chromium, or QUAYSIDE_CHROMIUM.
#
# Only the directory goes to stdout; progress goes to stderr. Safe to run several at once.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
  printf 'page: error: %s\n' "$*" >&2
  exit 1
}

[[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] || die 'neither XDG_CACHE_HOME nor HOME is set; set XDG_CACHE_HOME to a directory that may keep 20 MB'
command -v node >/dev/null || die 'Node.js is missing, which drives Chromium'
[[ -x ${QUAYSIDE_CHROMIUM:-/usr/bin/chromium} ]] || die 'Chromium is missing: install it, or name it in QUAYSIDE_CHROMIUM'
key=$(cksum <"$here/package-lock.json" | cut -d' ' -f1)
root=${XDG_CACHE_HOME:-$HOME/.cache}/quayside/page
dir=$root/$key
if [[ ! -d $dir ]]; then
  command -v npm >/dev/null || die 'npm is missing, which gets the driver of Chromium'
  mkdir -p "$root"
  new=$(mktemp -d "$root/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  cp "$here/package.json" "$here/package-lock.json" "$new"
  npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund >&2 || die 'npm cannot get what package-lock.json names'
  # Another one may have been quicker.
  mv -T "$new" "$dir" 2>/dev/null || [[ -d $dir ]]
fi
echo "$dir"
