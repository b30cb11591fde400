#!/usr/bin/env bash
# Builds the tools of clusters, brings clusters up, runs the tests that need them, takes everything down.
# Prints how long each step took. KEEP=1 leaves the clusters up; SHORT=1 leaves out what needs images.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
  local since=$SECONDS
  echo "── $*"
  "$@"
  echo "── $* took $((SECONDS - since)) s"
}

# The whole workspace, as its tests are built: a part of it would be built anew.
cargo build --locked --quiet --workspace --exclude pavilion-fuzz --bins
cluster=${CARGO_TARGET_DIR:-target}/debug/e2e-cluster

finish() {
  local outcome=$?
  [ -n "${KEEP:-}" ] || step "$cluster" down
  exit "$outcome"
}

# Pavilion's images, on the nodes of a cluster.
load() { "$cluster" load --name "$1" target/images/*.tar; }

# Brings a cluster up and runs in it, one after the other, what else is named. There is one Pavilion in a cluster, and
# its policies hold for every test in it, so each lane has a cluster of its own.
lane() {
  local name=$1 kubeconfig
  shift
  kubeconfig=$("$cluster" up --name "$name")
  for target in "$@"; do
    case $target in
      load) step load "$name" ;;
      flow:*) KUBECONFIG=$kubeconfig step make --no-print-directory test-flow FLOW="${target#flow:}" ;;
      *) KUBECONFIG=$kubeconfig step make --no-print-directory "$target" ;;
    esac
  done
}

# Lanes wait for pods as much as they compute, so they run beside each other. What a lane said is shown when it has
# ended, and all of them end before one that failed ends this.
lanes=() logs=$(mktemp -d)
start() {
  lane "$@" >"$logs/$1" 2>&1 &
  lanes+=("$1:$!")
}
await() {
  local failed=() entry name since=$SECONDS
  for entry in "${lanes[@]}"; do
    name=${entry%%:*}
    wait "${entry##*:}" || failed+=("$name")
    echo "── lane $name"
    cat "$logs/$name"
    echo "── lane $name ended after $((SECONDS - since)) s"
  done
  rm -rf "$logs"
  [ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2 && return 1; }
}

# Beside the tools of a cluster those of single tests: lanes that run beside each other build nothing.
step "$cluster" build contour gateway-api certmanager
trap finish EXIT
step "$cluster" up
"$cluster" status
# One at a time: they compare the machine before with the machine after, and take down what they bring up.
step make --no-print-directory test-harness
# It would only take time from those that the lanes bring up.
[ -n "${KEEP:-}" ] || step "$cluster" down --name c1
if [ -n "${SHORT:-}" ]; then
  echo "── the short form: images, and the way from a Tenant to its answer, are left to \`make e2e\`"
else
  # Built quicker than those that are shipped.
  export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
  step env CARGO_PROFILE_RELEASE_STRIP=symbols make --no-print-directory images
fi
# Everything that the lanes run, before they do.
step make --no-print-directory cluster-tests
start operator test-operator test-cli
start charts test-charts
if [ -z "${SHORT:-}" ]; then
  start flow load test-images "flow:--skip deletion:: --skip steady:: --skip trial:: --skip tutorial::"
  start rest load "flow:deletion:: steady:: trial:: tutorial::"
fi
await
