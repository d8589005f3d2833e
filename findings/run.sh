#!/usr/bin/env bash
# Runs every finding, or those that are named, and counts. Next: README.md.
set -u
cd "$(dirname "$0")"
names=("$@")
[ "${#names[@]}" -gt 0 ] || names=($(ls ./*.sh | grep -v '/run\.sh$'))
changed=0
for name in "${names[@]}"; do
  echo "== ${name#./}"
  bash "$name" || { changed=$((changed + 1)); echo "-- this has changed: read $name again"; }
done
echo "$((${#names[@]} - changed)) as written, $changed changed"
[ "$changed" -eq 0 ]
