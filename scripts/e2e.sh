#!/usr/bin/env bash
# Builds the tools of a cluster, brings one up, runs the tests that need it, takes everything down.
# Prints how long each step took. KEEP=1 leaves the cluster up.
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

step "$cluster" build
trap finish EXIT
step "$cluster" up
"$cluster" status
# One at a time: they compare the machine before with the machine after.
step make --no-print-directory test-harness
# Those tests take down what they bring up.
kubeconfig=$("$cluster" up)
KUBECONFIG=$kubeconfig step make --no-print-directory test-operator
KUBECONFIG=$kubeconfig step make --no-print-directory test-cli
# There is one Pavilion in a cluster, and its policies hold for every test in it.
kubeconfig=$("$cluster" up --name charts)
KUBECONFIG=$kubeconfig step make --no-print-directory test-charts
# Then the whole way, with the images of this checkout, built quicker than those that are shipped.
step env CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=symbols make --no-print-directory images
"$cluster" down --name charts
kubeconfig=$("$cluster" up --name flow)
step "$cluster" load --name flow target/images/*.tar
KUBECONFIG=$kubeconfig step make --no-print-directory test-images
KUBECONFIG=$kubeconfig step make --no-print-directory test-flow
