#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH seconds (default 10) from its committed corpus.
# New inputs go to target/fuzz/corpus; a crash is left in target/fuzz/crashes and fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SECONDS_EACH:-10}
target=${CARGO_TARGET_DIR:-target}
out=$target/fuzz
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh cargo build --locked -p pavilion-fuzz --bins

passed=0
for source in fuzz/targets/*.rs; do
  name=$(basename "$source" .rs)
  mkdir -p "$out/corpus/$name" "$out/crashes"
  log=$out/$name.log
  if ! "$target/debug/$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -artifact_prefix="$out/crashes/$name-" "$out/corpus/$name" "fuzz/corpus/$name" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "fuzz: $name crashed; the input is in $out/crashes" >&2
    exit 1
  fi
  printf '%-16s %s\n' "$name" "$(grep -E '^Done ' "$log" | tail -n 1)"
  passed=$((passed + 1))
done
echo "fuzz: $passed passed, 0 failed"
