# What a developer and CI run. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The programs of the test control plane; the first time they are fetched or built, with progress on standard error.
TOOLS = tools="$$(tests/controlplane/tools.sh)"; export QUAYSIDE_TEST_TOOLS="$$tools"

.PHONY: help check tools test generate demo bench bench-scale ci clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## formatting, lints, documentation, generated files
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --document-private-items --locked
	@new="$$(mktemp -d)"; trap 'rm -rf "$$new"' EXIT; \
	cargo run --quiet --locked -- crd --output "$$new"; \
	diff -ru crds "$$new" || { echo 'crds/ is out of step with the types: run `make generate` and commit the result' >&2; exit 1; }

tools: ## get etcd, kube-apiserver, kubectl and helm, and print where they are
	@tests/controlplane/tools.sh

test: ## all tests, doctests included, on a real control plane
	@mkdir -p target; $(TOOLS); cargo test --locked 2>&1 | tee target/test.log
	@awk '/^test result:/ { suites++; passed += $$4; failed += $$6; ignored += $$8 } \
	  END { printf "tests: %d passed, %d failed, %d ignored, in %d binaries\n", passed, failed, ignored, suites }' target/test.log

generate: ## write the CRDs anew from the types
	cargo run --quiet --locked -- crd --output crds

demo: ## the main job on a throw-away control plane, start to finish
	@tests/demo.sh

bench: ## deliveries end to end against a real API server
	@$(TOOLS); cargo bench --locked --bench end_to_end

bench-scale: ## start, memory and latency with 100,000 Warehouses (minutes; several GB)
	@$(TOOLS); cargo bench --locked --bench scale

ci: check test ## what CI runs

clean: ## remove what was built (the control plane's programs stay in the cache outside)
	cargo clean
