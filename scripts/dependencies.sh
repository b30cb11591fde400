#!/usr/bin/env bash
# Checks the dependency tree against deny.toml: bans, licences, sources, and, where the advisory
# database lies beside the checkout, known vulnerabilities.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=target/tools
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qF "$version"; then
  echo "installing cargo-deny $version" >&2
  cargo install cargo-deny --version "$version" --locked --quiet --debug --root "$tools" --target-dir "$tools/build"
  rm -rf "$tools/build"
fi
# The graph also names crates of other platforms, which no build has fetched.
cargo fetch --locked --quiet
"$tools/bin/cargo-deny" --offline check --hide-inclusion-graph bans licenses sources

database=${PAVILION_ADVISORIES:-../shared/advisory-db.tar.gz}
if [ ! -f "$database" ]; then
  echo "advisories not checked: no database at $database (set PAVILION_ADVISORIES)" >&2
  # A person may go on without; CI may not.
  [ -z "${CI:-}" ] && exit 0 || exit 1
fi
# cargo-deny reads a git clone whose folder carries the hash of its address.
clone=$tools/advisories/advisory-db-3157b0e258782691
if [ "$database" -nt "$clone/.git/FETCH_HEAD" ]; then
  rm -rf "$clone"
  mkdir -p "$clone"
  tar -xzf "$database" -C "$clone" --strip-components=1
  git -C "$clone" init --quiet
  git -C "$clone" add --all
  git -C "$clone" -c user.name=advisories -c user.email=advisories@localhost commit --quiet --message "dated copy"
  touch "$clone/.git/FETCH_HEAD"
fi
"$tools/bin/cargo-deny" --offline check --hide-inclusion-graph advisories
