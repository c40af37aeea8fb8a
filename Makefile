# What a developer and CI run. `make` alone prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The programs of the test control plane; the first time they are fetched or built, with progress on standard error.
TOOLS = tools="$$(tests/controlplane/tools.sh)"; export QUAYSIDE_TEST_TOOLS="$$tools"

# The image, and the static binary in it: `make image IMAGE=registry.example.com/platform/quayside:0.1.0`, for another architecture than
# this machine's with ARCH=arm64 or ARCH=amd64. That has a folder of its own, so that the binary in target/image always runs here.
VERSION = $(shell awk -F '"' '/^version = / { print $$2; exit }' Cargo.toml)
MACHINE_ARCH := $(patsubst x86_64,amd64,$(patsubst aarch64,arm64,$(shell uname -m)))
ARCH ?= $(MACHINE_ARCH)
FOR_ARCH = $(if $(filter-out $(MACHINE_ARCH),$(ARCH)),-$(ARCH))
CONTEXT = $(if $(FOR_ARCH),target/image$(FOR_ARCH),.)
BINARY = $(CONTEXT)/target/image/quayside
ARCHIVE = target/image/quayside$(FOR_ARCH).tar
IMAGE ?= localhost/quayside:$(VERSION)$(FOR_ARCH)
export IMAGE
# What the image says of itself. Its times are those of the commit, so that a binary gives one image whenever it is built.
image sbom provenance: export IMAGE_VERSION = $(VERSION)
image sbom provenance: export IMAGE_ARCH = $(ARCH)
image sbom provenance: export IMAGE_REVISION = $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
image sbom provenance: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# How long `make chaos` lasts and how many pushes it makes, each at least, on how many connections, and how long each sender
# rests after an answer; how long `make fuzz` runs each target; how many cases `make soak` tries of most properties.
chaos: SECONDS ?= 60
fuzz: SECONDS ?= 10
CASES ?= 2560
PUSHES ?= 0
SENDERS ?= 32
PAUSE_MS ?= 0

.PHONY: help check lint tools test soak chaos generate demo fuzz bench bench-journal bench-scale bench-memory image reproducible sbom provenance manifests chart e2e readme ci clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: lint ## formatting, lints, documentation, generated files
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --document-private-items --locked
	@new="$$(mktemp -d)"; trap 'rm -rf "$$new"' EXIT; \
	cargo run --quiet --locked -- crd --output "$$new"; \
	diff -ru crds "$$new" || { echo 'crds/ is out of step with the types: run `make generate` and commit the result' >&2; exit 1; }
	@diff -ru crds charts/quayside/files/crds || { echo "the chart's CRDs are out of step with crds/: run \`make generate\` and commit the result" >&2; exit 1; }
	cargo test --quiet --locked --lib reference
	cargo test --quiet --locked --test architecture

lint: ## dependencies against deny.toml, scripts, fuzz targets; installs cargo-deny if it is missing
	@tests/lint.sh

tools: ## get etcd, kube-apiserver, kubectl and helm, and print where they are
	@tests/controlplane/tools.sh

test: ## all tests, doctests included, on a real control plane
	@tests/registry/tools.sh >/dev/null
	@tests/gitea/tools.sh >/dev/null
	@mkdir -p target; $(TOOLS); cargo test --locked 2>&1 | tee target/test.log || { \
	  echo 'what failed, and why (all of it is in target/test.log):'; grep -A 3 'panicked at' target/test.log | cut -c 1-300 | tail -n 40; exit 1; }
	@awk '/^test result:/ { suites++; passed += $$4; failed += $$6; ignored += $$8 } \
	  END { printf "tests: %d passed, %d failed, %d ignored, in %d binaries\n", passed, failed, ignored, suites }' target/test.log

soak: ## the tests of the crate with ten times as many random cases: `make soak CASES=2560`
	PROPTEST_CASES=$(CASES) cargo test --locked --lib

chaos: ## pushes while everything fails in turn: `make chaos SECONDS=60 PUSHES=0 SENDERS=32 PAUSE_MS=0`
	@$(TOOLS); QUAYSIDE_CHAOS_SECONDS=$(SECONDS) QUAYSIDE_CHAOS_PUSHES=$(PUSHES) QUAYSIDE_CHAOS_SENDERS=$(SENDERS) \
	  QUAYSIDE_CHAOS_PAUSE_MS=$(PAUSE_MS) \
	  cargo test --locked --test integration chaos:: -- --nocapture

generate: ## write the CRDs, the chart's copies and the generated tables of the documentation
	cargo run --quiet --locked -- crd --output crds
	rm -f charts/quayside/files/crds/*.yaml
	cp crds/*.yaml charts/quayside/files/crds/
	$(TOOLS); env -u IMAGE CRDS=no deploy/manifests.sh >deploy/kustomize/base/quayside.yaml
	QUAYSIDE_GENERATE=1 cargo test --quiet --locked --lib reference
	QUAYSIDE_GENERATE=1 cargo test --quiet --locked --test architecture document

fuzz: ## every fuzz target for SECONDS (10), from the recorded cases; installs cargo-fuzz if it is missing
	@command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz@0.13.2
	@fuzz/seed.sh
	@for target in $$(sed -n 's/^name = "\(.*\)"$$/\1/p' fuzz/Cargo.toml | tail -n +2); do \
	  echo "fuzz: $$target"; \
	  cargo fuzz run --sanitizer none "$$target" -- -max_total_time=$(SECONDS) -print_final_stats=1 -verbosity=0 || exit 1; \
	done

demo: ## the main job on a throw-away control plane, start to finish
	@tests/demo.sh

bench: ## deliveries end to end against a real API server
	@$(TOOLS); cargo bench --locked --bench end_to_end; cargo bench --locked --bench look_up

bench-journal: ## what it costs to remember deliveries: throughput and memory with the journal and without (minutes)
	@$(TOOLS); cargo bench --locked --bench journal

bench-scale: ## start, memory and latency with 100,000 Warehouses (minutes; several GB)
	@$(TOOLS); cargo bench --locked --bench scale

bench-memory: ## memory under load and the cost of hostile requests, beside their limits (minutes)
	@$(TOOLS); cargo bench --locked --bench memory

image: ## the container image, with docker, podman or buildah (first about 9 minutes: a static release build): `make image ARCH=arm64`
	@binary="$$(tests/cluster/binary.sh $(ARCH))"; mkdir -p target/image $(dir $(BINARY)); install -m 755 "$$binary" $(BINARY)
	@[[ $(CONTEXT) == . ]] || cp Dockerfile .dockerignore $(CONTEXT)
	@tests/cluster/starts.sh $(BINARY)
	@tests/cluster/image.sh $(CONTEXT) "$(IMAGE)" $(ARCHIVE)
	@tests/cluster/image-twice.sh $(CONTEXT) "$(IMAGE)" $(ARCHIVE)
	@size=$$(wc -c <$(ARCHIVE)); \
	printf 'image: %s is %d.%d MB, in $(ARCHIVE)\n' "$(IMAGE)" $$((size / 1000000)) $$((size / 100000 % 10)); \
	((size <= 20000000)) || { echo 'image: error: more than 20 MB; see what was added to the binary or the Dockerfile' >&2; exit 1; }

reproducible: ## whether two builds of the last commit, as on two machines, are one binary (twice as long as the image, from nothing)
	@tests/cluster/reproducible.sh $(ARCH)

sbom: ## what is in the binary, from Cargo.lock, as CycloneDX in target/image/quayside.cdx.json
	@mkdir -p target/image
	@tests/cluster/sbom.sh $(ARCHIVE:.tar=.cdx.json) $(ARCH) "$$(ls $(BINARY) 2>/dev/null || true)"

provenance: sbom ## how the image was built, as SLSA provenance in target/image/quayside.provenance.json; after `make image`
	@[[ -e $(ARCHIVE) ]] || { echo 'provenance: error: $(ARCHIVE) is not there; run `make image` first' >&2; exit 1; }
	@tests/cluster/provenance.sh $(ARCHIVE) $(BINARY) $(ARCHIVE:.tar=.provenance.json) $(ARCH)
	@tests/cluster/attested.sh $(ARCHIVE) $(ARCHIVE:.tar=.provenance.json) $(ARCHIVE:.tar=.cdx.json)

manifests: ## one file to install without Helm: `make manifests BASE_URL=https://hooks.example.com IMAGE=… NAMESPACE=quayside`
	@mkdir -p target
	@$(TOOLS); $(if $(filter file,$(origin IMAGE)),unset IMAGE;) deploy/manifests.sh >target/quayside.yaml
	@echo 'manifests: target/quayside.yaml; install it: kubectl apply --server-side -f target/quayside.yaml'

chart: ## the chart and deploy/: lint, refusals, alerts, and every manifest on a test control plane
	@$(TOOLS); tests/cluster/chart.sh
	@$(TOOLS); tests/cluster/deploy.sh

e2e: ## install the image with helm on a whole cluster, push, upgrade, take over, uninstall (root on Linux, or E2E_KUBECONFIG)
	@tests/cluster/e2e.sh check
	@$(MAKE) --no-print-directory image
	@tests/cluster/e2e.sh run target/image/quayside.tar

readme: ## the steps of README.md to the first receiver, as they stand there, on a cluster of its own (root on Linux)
	@$(MAKE) --no-print-directory image
	@tests/cluster/readme.sh $(ARCHIVE)

ci: check test chart e2e provenance ## what CI runs

clean: ## remove what was built (the control plane's programs stay in the cache outside)
	cargo clean
