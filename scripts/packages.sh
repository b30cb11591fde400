#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages named on the command line that are missing.
# As root or with sudo it installs them; otherwise it prints the exact command and stops.
set -euo pipefail

missing=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing system packages: ${missing[*]}" >&2
install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  run() { "$@"; }
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  run() { sudo "$@"; }
else
  printf 'These packages are missing and need root. Run this, then the same make target again:\n\n    sudo apt-get update && sudo %s\n\n' "$install" >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { run apt-get update -q && DEBIAN_FRONTEND=noninteractive run $install; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "installing ${missing[*]} failed" >&2
  exit 1
fi
