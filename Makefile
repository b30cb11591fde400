# What people do with this checkout. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

BUILD_PACKAGES := build-essential ca-certificates pkg-config softhsm2
TEST_PACKAGES  := $(BUILD_PACKAGES) curl git openssl python3-venv
E2E_PACKAGES   := $(BUILD_PACKAGES) clang-19 containerd containernetworking-plugins ipset iproute2 iptables mount nftables runc util-linux
CARGO          := cargo
PROGRAMS       := -p pavilion-operator -p pavilion-router -p pavilion-verifier -p pavilion-signer -p pavilion-auditor -p kubectl-pavilion

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	$(CARGO) build --locked --workspace --exclude pavilion-fuzz --bins
	$(CARGO) test --locked --workspace --exclude pavilion-fuzz
	@$(MAKE) --no-print-directory docs-test

.PHONY: test-operator
test-operator: ## the operator against the API server that KUBECONFIG names
	$(CARGO) test --locked -p pavilion-operator --features cluster --test cluster

.PHONY: test-cli
test-cli: ## the plugin against the API server that KUBECONFIG names
	$(CARGO) test --locked -p kubectl-pavilion --features cluster --test cluster

.PHONY: test-charts
test-charts: ## the charts with Helm 3 and 4, in the cluster that KUBECONFIG names; it gets nothing else
	$(CARGO) build --locked -p pavilion-operator
	$(CARGO) test --locked -p pavilion-e2e-charts --features cluster --test charts

.PHONY: test-flow
test-flow: ## from a Tenant to its answer, in the cluster that KUBECONFIG names, whose nodes have the images
	$(CARGO) build --locked -p kubectl-pavilion
	$(CARGO) test --locked -p pavilion-e2e-charts --features cluster --test flow -- --nocapture

.PHONY: test-images
test-images: ## the images in the cluster that KUBECONFIG names, whose nodes have them
	$(CARGO) test --locked -p pavilion-images --features cluster --test start

.PHONY: docs-test
docs-test: build ## every command of the documentation, executed
	@scripts/docs-test.sh

.PHONY: e2e
e2e: e2e-packages ## the tests that need a real cluster, as root: tools, up, tests, down; KEEP=1 leaves it up
	@scripts/e2e.sh

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
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p pavilion-operator --features cluster --tests -- -D warnings
	$(CARGO) clippy --locked -p kubectl-pavilion --features cluster --tests -- -D warnings
	$(CARGO) clippy --locked -p pavilion-e2e-cluster --all-targets --features cluster -- -D warnings
	$(CARGO) clippy --locked -p pavilion-e2e-charts --all-targets --features cluster -- -D warnings
	$(CARGO) clippy --locked -p pavilion-images --tests --features cluster -- -D warnings
	@scripts/dependencies.sh

.PHONY: bench
bench: packages ## the speed and memory tables, each as a ratio in one run
	$(CARGO) build --locked --release $(PROGRAMS) -p pavilion-bench
	target/release/pavilion-bench all
	$(CARGO) bench --locked -p pavilion-signer --bench pool
	$(CARGO) bench --locked -p pavilion-auditor --bench append
	$(CARGO) bench --locked -p pavilion-policy --bench decision

.PHONY: flamegraph
flamegraph: packages ## where the time of a verification goes: docs/src/verification.svg
	@scripts/flamegraph.sh

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean
