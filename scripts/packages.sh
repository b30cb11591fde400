#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages named on the command line that are missing.
# As root or with sudo it installs them; otherwise it prints the exact command and stops.
set -euo pipefail

missing=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
# sudo may ask for a password where somebody is there to type it.
may_sudo() {
  command -v sudo >/dev/null || return
  sudo -n true 2>/dev/null && return
  [ -t 0 ] && [ -t 2 ] && echo "system packages are missing: ${missing[*]}" >&2 && sudo -v
}
if [ "$(id -u)" -eq 0 ]; then
  run() { "$@"; }
elif may_sudo; then
  run() { sudo "$@"; }
else
  if command -v sudo >/dev/null; then
    by_hand="sudo apt-get update && sudo $install"
  else
    by_hand="su - -c 'apt-get update && $install'"
  fi
  printf 'These packages are missing and need root. Run this, then the same make target again:\n\n    %s\n\n' "$by_hand" >&2
  exit 1
fi

echo "installing system packages: ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { run apt-get update -q && run env DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "installing ${missing[*]} failed" >&2
  exit 1
fi
