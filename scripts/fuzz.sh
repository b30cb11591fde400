#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH seconds (default 10) from its committed corpus, one on each
# core (JOBS). New inputs go to target/fuzz/corpus; a crash is left in target/fuzz/crashes and fails
# the run.
set -euo pipefail
cd "$(dirname "$0")/.."

export seconds=${SECONDS_EACH:-10}
export target=${CARGO_TARGET_DIR:-target}
export out=$target/fuzz
names=()
for source in fuzz/targets/*.rs; do names+=("$(basename "$source" .rs)"); done

# Of the whole workspace, so that libraries are built with the same features as for everything else
# and need not be built again.
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh cargo build --locked --workspace "${names[@]/#/--bin=}"

one() {
  mkdir -p "$out/corpus/$1" "$out/crashes"
  if ! "$target/debug/$1" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -artifact_prefix="$out/crashes/$1-" "$out/corpus/$1" "fuzz/corpus/$1" >"$out/$1.log" 2>&1; then
    tail -n 30 "$out/$1.log" >&2
    echo "fuzz: $1 crashed; the input is in $out/crashes" >&2
    return 255
  fi
  printf '%-16s %s\n' "$1" "$(grep -E '^Done ' "$out/$1.log" | tail -n 1)"
}
export -f one
printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-$(nproc)}" -I{} bash -euo pipefail -c 'one {}'
echo "fuzz: ${#names[@]} passed, 0 failed"
