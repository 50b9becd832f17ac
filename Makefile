# The targets of this repository; `make` lists them. Each sets up what it needs in .venv, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Compiled modules are kept: else every process that a test starts would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
JOBS ?= 2
MANIFEST ?= manifests/samples/demo.yaml
CRD := crds/imagehosttenants.imghost.dev.yaml

.PHONY: help
help: ## Show this help
	@printf 'usage: make TARGET [ARGS="..."]\n\n'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 22

.PHONY: up
up: $(VENV)/.cli ## Run a tenant on this machine and print how to use it (ARGS=--detach: in the background)
	@$(BIN)/imghost up $(MANIFEST) $(ARGS)

.PHONY: down status logs reset
down: $(VENV)/.cli ## Stop what `make up` started; the data stays
status: $(VENV)/.cli ## Show URLs, API key, conditions and processes (ARGS=--json: for programs)
logs: $(VENV)/.cli ## Show the logs of all processes
reset: $(VENV)/.cli ## Stop it and delete its data
down status logs reset:
	@$(BIN)/imghost $@ $(ARGS)

.PHONY: unit
unit: $(VENV)/.dev ## Run the tests that start nothing and build nothing (half a minute; ARGS="-k quota": only some)
	@$(BIN)/pytest -n $(JOBS) --dist loadfile -m "not services and not node" --ignore=tests/e2e --ignore=tests/cluster $(ARGS)

.PHONY: test
test: $(VENV)/.dev ## Run all tests but those of a cluster, on real services; builds the programs that they use, once
	@$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Send many generated requests to every route of the api (EXAMPLES=500: of each)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/pytest -n $(JOBS) --timeout 1800 tests/api/http/test_error_fuzz.py $(ARGS)

.PHONY: mutants
mutants: $(VENV)/.dev ## Count small changes of access, limits and parsers that no test notices (ARGS="plans --sample=50")
	@$(BIN)/python -m imghost_dev mutants $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Check style, types, architecture and generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m imghost_dev imports
	$(BIN)/python -m imghost_dev permissions check
	$(BIN)/python -m imghost_dev problems check
	$(BIN)/deptry .
	$(BIN)/python -m imghost_dev unused
	$(BIN)/python -m imghost_dev requirements check
	$(BIN)/python -m imghost_dev addresses
	$(BIN)/python -m imghost_dev prose
	$(BIN)/python -m imghost_dev requirements-table check
	$(BIN)/imghost crds | diff $(CRD) - || { echo 'error: $(CRD) is not what the models say; run `make crds`' >&2; exit 1; }
	$(BIN)/imghost conditions | diff docs/conditions.md - || { echo 'error: docs/conditions.md is not what the reasons say; run `make conditions`' >&2; exit 1; }
	$(BIN)/python -m imghost_dev chart check

.PHONY: format
format: $(VENV)/.dev ## Format the code and repair what a program can repair
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

.PHONY: bench
bench: $(VENV)/.dev ## Measure starts, memory, uploads and thumbnails of a tenant on this machine
	@$(BIN)/python -m imghost_dev bench $(ARGS)

.PHONY: corpus
corpus: $(VENV)/.dev ## Render the test images of public packages, and compare with another decoder (needs Go)
	@$(BIN)/python -m imghost_dev corpus $(ARGS)

.PHONY: crds
crds: $(VENV)/.dev ## Generate crds/ from the operator's models
	$(BIN)/imghost crds > $(CRD)
	@$(MAKE) manifests

.PHONY: conditions
conditions: $(VENV)/.dev ## Generate docs/conditions.md from the operator's reasons
	$(BIN)/imghost conditions > docs/conditions.md

.PHONY: manifests
manifests: $(VENV)/.dev ## Render manifests/install.yaml from the chart, and give the chart the CRD
	$(BIN)/python -m imghost_dev chart write

.PHONY: requirements
requirements: $(VENV)/.dev ## Pin again what pyproject.toml asks for (ARGS=--upgrade: everything to its newest version)
	$(BIN)/python -m imghost_dev requirements write $(ARGS)

.PHONY: requirements-table
requirements-table: $(VENV)/.dev ## Generate docs/requirements.md from requirements.toml and the markers of the tests
	$(BIN)/python -m imghost_dev requirements-table write

.PHONY: clean
clean: ## Delete .venv and all caches of this checkout; data of `make up` stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: images
images: $(VENV)/.dev ## Build the container images, try each, print its size (ARGS="api imaging": only these)
	@$(BIN)/python -m imghost_dev images $(ARGS)

.PHONY: cluster cluster-down
cluster: $(VENV)/.dev ## Start a real Kubernetes with PostgreSQL, MinIO, the operator and the demo tenant (needs root)
	@$(BIN)/python -m imghost_dev cluster demo $(ARGS)
cluster-down: $(VENV)/.dev ## Remove that cluster and all its files
	@$(BIN)/python -m imghost_dev cluster down $(ARGS)

.PHONY: test-node
test-node: $(VENV)/.dev ## Build the images, then test them, and the node of `make cluster` itself (needs root; ARGS as for test)
	@$(BIN)/python -m imghost_dev programs node
	@$(BIN)/python -m imghost_dev images
	@$(BIN)/pytest -m node tests/cluster $(ARGS)

.PHONY: e2e
e2e: $(VENV)/.dev ## Run the end-to-end scenarios in that cluster, or in one for them alone (ARGS="-k drift": only some)
	@$(BIN)/python -m imghost_dev e2e $(ARGS)

# Everything comes from hash-pinned files, the project itself from this folder. A stamp says which file was installed.
$(VENV)/.cli $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml | $(BIN)/python
	@echo "Installing the Python packages of $< into $(VENV) (once, about a minute)"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $< | \
	  awk '/^Collecting/ && ++n % 20 == 0 { print "  " n " packages"; fflush() } /^Installing/ { print "  unpacking"; fflush() }'
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/python:
	@for candidate in "$${PYTHON:-python3}" python3.13 python3.12 python3.11; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    "$$candidate" -c 'import ensurepip' 2>/dev/null || { \
	      echo "error: $$candidate cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }; \
	    exec "$$candidate" -m venv $(VENV); \
	  fi; \
	done; \
	echo 'error: Python 3.11 or newer is needed. Install it, or name it: make PYTHON=/path/to/python3.11 ...' >&2; exit 1
