#!/usr/bin/env bash
# The cluster tests in clusters made by kind, for people who have docker. Needs docker, kind, kubectl, cargo, go for what
# tests run of other projects, and a Helm: HELM3 and HELM4 name two; for one that is not named the helm on the path is
# taken, and KUBECTL names a kubectl. KEEP=1 leaves the last cluster there.
set -euo pipefail
cd "$(dirname "$0")/.."

config=e2e/kind/kind-config.yaml
name=$(sed -n 's/^name: //p' "$config")
node_image=$(sed -n 's/^ *image: //p' "$config")
cilium=$(sed -n 's|^\tgithub.com/cilium/cilium v||p' e2e/tools/cilium/go.mod)

step() {
  local since=$SECONDS
  echo "── $*"
  "$@"
  echo "── $* took $((SECONDS - since)) s"
}

# What is not here is said before anything is made.
refuse() {
  echo "$1; without docker use \`make e2e\`" >&2
  exit 69
}
# The kubectl that the harness built, if it did, and otherwise the one on the path.
built=(target/e2e/tools/kube-*/kubectl)
KUBECTL=${KUBECTL:-$([ -x "${built[0]}" ] && realpath "${built[0]}" || command -v kubectl || true)}
missing=()
for program in cargo docker go kind; do
  command -v "$program" >/dev/null || missing+=("$program")
done
[ -n "$KUBECTL" ] || missing+=(kubectl)
helm=$(command -v helm || true)
[ -n "${HELM3:-$helm}" ] && [ -n "${HELM4:-$helm}" ] || missing+=(helm)
[ ${#missing[@]} -eq 0 ] || refuse "not on the path: ${missing[*]}"
docker info >/dev/null 2>&1 || refuse "docker does not answer: start it, or let $(id -un) use it (\`docker info\` says more)"
export KUBECTL HELM3=${HELM3:-$helm} HELM4=${HELM4:-$helm}

folder=$(mktemp -d)
export KUBECONFIG=$folder/kubeconfig

take_down() { kind delete cluster --name "$name"; }
finish() {
  local outcome=$?
  if [ -n "${KEEP:-}" ] && [ -s "$KUBECONFIG" ]; then
    echo "left running: export KUBECONFIG=$KUBECONFIG; kind delete cluster --name $name"
  else
    take_down || true
    rm -rf "$folder"
  fi
  exit "$outcome"
}

# Not every patch release of Kubernetes has an image; kind makes one from the release.
node_image() {
  docker image inspect "$node_image" >/dev/null 2>&1 ||
    docker pull --quiet "$node_image" ||
    kind build node-image "${node_image##*:}" --image "$node_image"
}

# Nodes are Ready when the network plugin is, and not before.
bring_up() {
  kind create cluster --config "$config" --kubeconfig "$KUBECONFIG"
  "$HELM4" install cilium cilium --repo https://helm.cilium.io --version "$cilium" --namespace kube-system \
    --set ipam.mode=kubernetes --set operator.replicas=1 --wait --timeout 10m
  "$KUBECTL" wait --for=condition=Ready nodes --all --timeout=5m
}

# Gives the node images from archives.
load() {
  local archive
  for archive in "$@"; do
    step kind load image-archive --name "$name" "$archive"
  done
}

if kind get clusters 2>/dev/null | grep -qx "$name"; then
  echo "there is a kind cluster $name already: kind delete cluster --name $name" >&2
  exit 69
fi
trap finish EXIT
step node_image
step bring_up
step make --no-print-directory test-operator
step make --no-print-directory test-cli
# There is one Pavilion in a cluster, and its policies hold for every test in it: another cluster.
step take_down
step bring_up
# Pods of the tests run it, which the harness gives the nodes of its own clusters.
cargo build --locked --quiet --workspace --exclude pavilion-fuzz --bins
load "$("${CARGO_TARGET_DIR:-target}/debug/e2e-cluster" image probe)"
step make --no-print-directory test-charts
step make --no-print-directory images
load target/images/*.tar
step make --no-print-directory test-images
API_SERVER_PID=$(docker top "$name-control-plane" -eo pid,comm | awk '$2 == "kube-apiserver" {print $1}')
export API_SERVER_PID
# Nodes made by kind have no switch and cannot be entered, and their API server keeps no audit log.
step make --no-print-directory test-flow FLOW="--skip node:: --skip steady:: --skip gateway::"
