#!/usr/bin/env bash
# What binary.sh has Cargo call in the place of rustc: it takes the folders of this machine out of what is compiled. Not RUSTFLAGS, which
# become part of the names of files that are linked, so that another folder would give another binary.
#
#   rustc.sh RUSTC ARGUMENT…
#
#   REMAP_SOURCE, REMAP_TARGET, REMAP_CRATES    the repository, its target folder, and the folders of the crates' sources, one a line
compiler=$1
shift
remap=(--remap-path-prefix="$REMAP_SOURCE=/quayside" --remap-path-prefix="$REMAP_TARGET=/quayside/target")
# One for each registry, because the folder bears the registry's name.
while IFS= read -r folder; do
  if [[ -n $folder ]]; then remap+=(--remap-path-prefix="$folder=/crates"); fi
done <<<"$REMAP_CRATES"
exec "$compiler" "$@" "${remap[@]}"
