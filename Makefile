# Every target does its own set-up (hack/bootstrap.py): packages, control plane and Helm go into a cache
# outside the checkout. docs/development.md says where, and what can be set.

PYTHON ?= python3
SETUP := $(PYTHON) hack/bootstrap.py
# How many test processes run side by side; each has a control plane of its own.
WORKERS ?= 2
# The tests' order is shuffled by the commit: another one each time, and the same wherever that commit is tested.
SEED ?= $(shell printf '%d' 0x$$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0))
PYTEST := python -m pytest -p pytest_interruption --randomly-seed=$(SEED) -n $(WORKERS) --dist loadfile \
	--allow-hosts=127.0.0.1,127.0.0.2,::1,localhost

.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test check bench-quick bench-setup fmt crds lock cluster-up cluster-down cluster-status clean clean-cache

help: ## print this list
	@echo 'make <target>, where target is one of:'
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "  %-15s %s\n", $$1, $$2 }'

demo: ## one manifest becomes one stored video, on a real API server and bucket (KEEP=1: leave it running)
	@$(SETUP) python controlplane helm -- python hack/demo.py $(if $(KEEP),--keep)

demo-stop: ## stop what `make demo KEEP=1` left running
	@$(SETUP) python -- python hack/demo.py --stop

test: ## all checks, then the whole suite on real parts
	@$(SETUP) python controlplane helm -- python hack/check.py static -- $(PYTEST) tests

check: ## format, lint, types, import contracts, generated files, unit tests (under a minute)
	@$(SETUP) python -- python hack/check.py static unit

bench-quick: ## our numbers beside their goals (a table, no gate)
	@$(SETUP) python controlplane helm -- python -m bench.quick

bench-setup: ## how long `make demo` takes in a fresh clone, from nothing and with caches (a table, no gate)
	@env PYTHONPATH=hack $(PYTHON) -m bench.setup $(if $(ONLY),--only $(ONLY))

fmt: ## format the Python files and repair what the linter can
	@$(SETUP) python -- ruff check --quiet --fix-only .
	@$(SETUP) python -- ruff format .

crds: ## write what is generated: crds/, the chart's copy, its schema and its tables
	@$(SETUP) python -- python hack/generate_crds.py
	@$(SETUP) python -- python hack/generate_chart_docs.py

lock: ## pin all requirements anew (UPGRADE=1: to the newest versions)
	@$(SETUP) python -- python hack/lock.py $(if $(UPGRADE),--upgrade)

cluster-up: ## start an API server and a bucket that stay, and print how to use them
	@$(SETUP) python controlplane helm -- python hack/cluster.py up

cluster-down: ## stop them and remove their data
	@$(SETUP) python -- python hack/cluster.py down

cluster-status: ## say whether they run
	@$(SETUP) python -- python hack/cluster.py status || test $$? -eq 3

clean: ## remove what checks and tests leave in the checkout
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-cache: ## remove the cached packages, control planes and Helm programs of all checkouts
	@$(PYTHON) hack/clean_cache.py
