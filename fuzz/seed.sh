#!/usr/bin/env bash
# Fills fuzz/corpus from the recorded cases, so that no copy of them is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
fixtures=../tests/fixtures
for target in receiver quay envelope repository constraint regex path expression; do mkdir -p "corpus/$target"; done

kinds=$(grep -c '^pub mod ' ../src/receiver/kinds/mod.rs)
count=0
while IFS= read -r file; do
  count=$((count + 1))
  cp "$file" "corpus/quay/payload-$count"
  printf '{"event":"repo_push","token":"t","data":%s}' "$(cat "$file")" >"corpus/envelope/payload-$count"
  for ((kind = 0; kind < kinds; kind++)); do
    { printf '%b' "\\x$(printf %02x "$kind")"; cat "$file"; } >"corpus/receiver/payload-$count-$kind"
  done
done < <(find "$fixtures/payloads" -name '*.json')
# One file for every distinct text of a member: fill TARGET FILE MEMBER
fill() {
  zcat "$fixtures/vectors/$2.jsonl.gz" | grep -oE "\"$3\": \"([^\"\\\\]|\\\\.)*\"" | sed -E "s/^\"$3\": \"(.*)\"$/\\1/" | sort -u | sed -n 1,400p |
    split --lines=1 --suffix-length=4 --additional-suffix="-$3" - "corpus/$1/"
}
fill repository urls in
fill constraint semver constraint
fill regex patterns pattern
fill path paths path
fill expression expressions expr
fill expression templates template
