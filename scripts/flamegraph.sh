#!/usr/bin/env bash
# Draws where the processor time of saturated verifications goes, program by program:
# docs/src/verification.svg, for docs/src/performance.md. The programs are built with frame pointers.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/packages.sh linux-perf
tools=target/tools
if ! [ -x "$tools/bin/inferno-flamegraph" ]; then
  cargo install inferno --version 0.12.8 --locked --quiet --root "$tools" --target-dir "$tools/build"
  rm -rf "$tools/build"
fi

build=target/profile
mkdir -p "$build"
programs=(operator router verifier signer auditor bench)
RUSTFLAGS='-C force-frame-pointers=yes' cargo build --locked --release --target-dir "$build" \
  "${programs[@]/#/-ppavilion-}"
"$build/release/pavilion-bench" verification --seconds 20 --perf "$build/perf.data" | tee "$build/run.txt"

# Stacks begin with thread and process number; the number becomes the program's name.
names=$(sed -nE 's/^sampled: ([0-9]+) (.*)$/s~^[^;]*-\1;~\2;~/p' "$build/run.txt")
perf script -i "$build/perf.data" -F comm,pid,tid,time,event,ip,sym,dso 2>/dev/null |
  "$tools/bin/inferno-collapse-perf" --pid | sed -E "$names" >"$build/stacks.txt"
"$tools/bin/inferno-flamegraph" --title 'Saturated verifications, processor time by program' \
  --minwidth 0.4 "$build/stacks.txt" >docs/src/verification.svg
awk '{n = $NF; split($0, parts, ";"); sum[parts[1]] += n; all += n} END {for (p in sum) printf "%-20s %5.1f %%\n", p, 100 * sum[p] / all}' "$build/stacks.txt" | sort
