# What people do with this checkout. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BUILD_PACKAGES := build-essential ca-certificates pkg-config softhsm2
TEST_PACKAGES  := $(BUILD_PACKAGES) curl git openssl python3-venv
E2E_PACKAGES   := $(BUILD_PACKAGES) clang-19 containerd containernetworking-plugins ipset iproute2 iptables mount nftables runc util-linux
CARGO          := cargo
# Tests that need a cluster. The whole workspace and all of them are named wherever one is built: cargo would build what
# they depend on once more for a part of it.
CLUSTER_TESTS  := pavilion-operator/cluster,kubectl-pavilion/cluster,pavilion-e2e-cluster/cluster,pavilion-e2e-charts/cluster,pavilion-images/cluster
WORKSPACE      := --locked --workspace --exclude pavilion-fuzz
CLUSTER        := --features $(CLUSTER_TESTS)
PROGRAMS       := -p pavilion-operator -p pavilion-router -p pavilion-verifier -p pavilion-signer -p pavilion-auditor -p pavilion-probe -p kubectl-pavilion

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: packages
packages:
	@scripts/packages.sh $(BUILD_PACKAGES)

.PHONY: test-packages
test-packages:
	@scripts/packages.sh $(TEST_PACKAGES)

.PHONY: e2e-packages
e2e-packages:
	@scripts/packages.sh $(E2E_PACKAGES)

.PHONY: build
build: packages ## release binaries in target/release
	$(CARGO) build --locked --release $(PROGRAMS)

.PHONY: images
images: packages ## container images without a container engine: layouts and archives in target/images
	$(CARGO) run --locked --package pavilion-images

.PHONY: demo
demo: build ## one question answered end to end on this machine; KEEP=1 leaves it running
	@examples/quickstart/demo.sh

.PHONY: test
test: test-packages judges ## every test, foreign judges included
	$(CARGO) build $(WORKSPACE) --bins
	$(CARGO) test $(WORKSPACE)
	@$(MAKE) --no-print-directory docs-test

.PHONY: cluster-tests
cluster-tests:
	$(CARGO) build $(WORKSPACE) --bins
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --no-run

.PHONY: test-harness
test-harness: ## the cluster harness, on clusters of its own
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --test comes_up --test after_a_crash --test network_policy --test only_its_own --test storage -- --test-threads=1

.PHONY: test-operator
test-operator: ## the operator against the API server that KUBECONFIG names
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --test cluster

.PHONY: test-cli
test-cli: ## the plugin against the API server that KUBECONFIG names
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --test in_a_cluster

.PHONY: test-charts
test-charts: judges ## the charts with Helm 3 and 4, in the cluster that KUBECONFIG names; it gets nothing else
	$(CARGO) build $(WORKSPACE) --bins
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --test charts -- --nocapture

.PHONY: test-flow
test-flow: judges ## from a Tenant to its answer, in the cluster that KUBECONFIG names, whose nodes have the images; FLOW says which
	$(CARGO) build $(WORKSPACE) --bins
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --test flow -- --nocapture $(FLOW)

.PHONY: test-steady
test-steady: ## that an installation at rest writes nothing for ten minutes, in the cluster of test-flow
	$(CARGO) build $(WORKSPACE) --bins
	STEADY_SECONDS=600 $(CARGO) test $(WORKSPACE) $(CLUSTER) --test flow -- --nocapture at_rest

.PHONY: test-away
test-away: ## that tenants answer, and the operator comes back, when the API server is away for a minute, in the same cluster
	$(CARGO) build $(WORKSPACE) --bins
	AWAY_SECONDS=60 $(CARGO) test $(WORKSPACE) $(CLUSTER) --test flow -- --nocapture api_server

.PHONY: test-images
test-images: ## the images in the cluster that KUBECONFIG names, whose nodes have them
	$(CARGO) test $(WORKSPACE) $(CLUSTER) --test start

.PHONY: docs-test
docs-test: build ## every command of the documentation, executed
	@scripts/docs-test.sh

.PHONY: e2e
e2e: e2e-packages ## the tests that need a real cluster, as root: tools, up, tests, down; KEEP=1 leaves it up
	@scripts/e2e.sh

.PHONY: e2e-short
e2e-short: e2e-packages ## the same without images and without the way from a Tenant to its answer
	@SHORT=1 scripts/e2e.sh

.PHONY: e2e-kind
e2e-kind: packages ## the same tests in clusters made by kind, where there is docker; KEEP=1 leaves the last one up
	@scripts/e2e-kind.sh

.PHONY: fuzz
fuzz: ## every fuzz target for SECONDS_EACH seconds (default 10)
	@scripts/fuzz.sh

.PHONY: coverage
coverage: test-packages ## line coverage per crate
	@scripts/coverage.sh

.PHONY: judges
judges: ## the foreign implementations that the tests compare with
	@e2e/judges/install.sh

.PHONY: lint
lint: ## formatting, clippy, dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets $(CLUSTER) -- -D warnings
	@scripts/dependencies.sh

.PHONY: bench
bench: packages ## the speed and memory tables, each as a ratio in one run
	$(CARGO) build --locked --release $(PROGRAMS) -p pavilion-bench
	target/release/pavilion-bench all
	$(CARGO) bench --locked -p pavilion-signer --bench pool
	$(CARGO) bench --locked -p pavilion-auditor --bench append
	$(CARGO) bench --locked -p pavilion-policy --bench decision

.PHONY: bench-operator
bench-operator: e2e-packages images ## an operator with 1,000 Tenants beside a bare client, and a cluster beside the host, as root
	$(CARGO) build --locked --release $(PROGRAMS) -p pavilion-bench
	target/release/pavilion-bench operator
	target/release/pavilion-bench cluster

.PHONY: flamegraph
flamegraph: packages ## where the time of a verification goes: docs/src/verification.svg
	@scripts/flamegraph.sh

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean
