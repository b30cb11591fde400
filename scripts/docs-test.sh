#!/usr/bin/env bash
# Executes the commands of the documentation: for each page its ```sh blocks, in order, in one shell.
# Links, the table of contents and which page is executed where are checked by e2e/tests/docs.
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
for page in docs/src/tutorial.md docs/src/guides/*.md; do
  script=$(mktemp)
  # What a failed page leaves running ends with it.
  echo 'trap '"'"'kill $(jobs -p) 2>/dev/null || true'"'"' EXIT' >"$script"
  awk '/^```sh$/ {inside = 1; next} /^```/ {inside = 0} inside' "$page" >>"$script"
  if grep -q '^```sh$' "$page"; then
    log=target/docs-test-$(basename "$page" .md).log
    # -m: each background command is a job, as in a person's shell.
    if timeout 300 bash -emo pipefail "$script" >"$log" 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "$page: a command failed:" >&2
      tail -n 15 "$log" >&2
    fi
  fi
  rm -f "$script"
done

echo "docs: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
