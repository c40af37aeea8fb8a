#!/usr/bin/env bash
# `make lint`: the rules that the compiler does not check. Dependencies against deny.toml, scripts and the fuzz targets.
# cargo-deny is installed if it is missing.
#
#   ADVISORIES=required     fail if the database of advisories cannot be fetched
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CARGO_DENY=0.20.2

say() { printf 'lint: %s\n' "$*" >&2; }
die() {
  say "error: $1"
  exit 1
}

# A merge that was not finished shows nowhere else in a document.
if grep -rnIE --exclude-dir={.git,target} '^(<{7}|>{7}) ' .; then die "what a merge left behind is in these files"; fi

# An unoptimized build takes a third of the time to compile, and a second more to run.
if ! command -v cargo-deny >/dev/null; then
  say "installing cargo-deny $CARGO_DENY (minutes, once)"
  cargo install --quiet --locked --debug "cargo-deny@$CARGO_DENY"
fi
cargo deny --log-level error check bans licenses sources

# The database of advisories is a Git repository. Some networks cannot reach it, and a gate that is not run must say so.
if timeout 120 cargo deny --log-level error fetch db >/dev/null 2>&1; then
  cargo deny --log-level error check --disable-fetch advisories
elif [[ ${ADVISORIES:-} == required ]]; then
  die "https://github.com/rustsec/advisory-db cannot be fetched from here"
else
  say "NOT CHECKED: advisories, because https://github.com/rustsec/advisory-db cannot be fetched from here"
fi

command -v shellcheck >/dev/null || die "shellcheck is not installed; install it with the system's package manager"
mapfile -t scripts < <(grep -rlE --include='*.sh' --include=run '^#!.*\bbash' .ci deploy fuzz/*.sh tests)
shellcheck --external-sources "${scripts[@]}"

# The fuzz targets are a workspace of their own, which no other command compiles.
RUSTFLAGS="${RUSTFLAGS:-} -Dwarnings" cargo check --quiet --locked --manifest-path fuzz/Cargo.toml --target-dir target/fuzz
