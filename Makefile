# Everything a contributor types. `make` alone shows the list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.ready
IMAGE ?= calends:dev
ENGINE ?= docker
# Processes that share the tests out among them; 0: none but make's own.
JOBS ?= 2
# Extra words for pytest: make test ARGS="-k ledger -x"
ARGS  ?=

.PHONY: help setup demo services test acceptance chaos cluster-test fuzz pager mutants lint format check docs bench image image-test sbom audit lock bench-lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv from requirements.lock (instant when it is up to date)

# A version manager may answer to `python3.12` without having one: each candidate is asked, not looked up.
$(STAMP): requirements.lock pyproject.toml
	@python=""; \
	for candidate in $${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "make: Python 3.11 or newer is needed and was not found; install it, or name one: make setup PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "[1/4] $$("$$python" --version) -> $(VENV)"; \
	$(BIN)/python -c '' 2>/dev/null || "$$python" -m venv --clear $(VENV) >/dev/null || { echo "make: $$python cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "[2/4] uv, the installer, from the lock"
	@awk '/^uv==/{p=1} p{print} p && !/\\$$/{exit}' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock
	@echo "[3/4] $$(grep -c '==' requirements.lock) locked packages, each checked against its hash"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --require-hashes --no-deps -r requirements.lock \
	  || { echo "      uv could not; once more with pip and its own settings"; \
	       $(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements.lock; }
	@echo "[4/4] calends itself, editable; then all of it compiled, so that no start pays for it"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib pipeline >/dev/null
	@touch $@

demo: setup ## see it work: sandbox vendors, sample events, a live table; nothing else to install
	@$(BIN)/calends demo

services: setup # fetches the real Kafka and PostgreSQL once, so that no test pays for it
	@$(BIN)/python -m tests.services --prepare

test: setup services ## every test, on a real Kafka and a real PostgreSQL
	@$(BIN)/python -m compileall -q pipeline
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

acceptance: setup services ## the promises at size, with figures: an hour, on a machine that does nothing else
	@$(BIN)/python -m pytest -s tests/acceptance $(ARGS)

SEED   ?= 1
ROUNDS ?= 1
chaos: setup services ## rounds of faults, counted at the vendor: make chaos SEED=1 ROUNDS=200, resumable
	@$(BIN)/python -m tests.chaos --seed $(SEED) --rounds $(ROUNDS) --json chaos-$(SEED).jsonl $(ARGS)

cluster-test: setup ## the chart on a real Kubernetes API server, 1.33 and newest: 3 minutes, the first time 12 for builds
	@$(BIN)/python -m tests.cluster.tools
	@$(BIN)/python -m pytest tests/cluster $(ARGS)

pager: setup services ## every alert from a real fault to who is woken and back, and every panel: a quarter of an hour
	@$(BIN)/python -m pytest -s tests/pager $(ARGS)

fuzz: setup services ## throw more at every reader than the tests do: EXAMPLES=2000 for each property
	@CALENDS_FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/fuzz $(ARGS)

mutants: setup services ## break the code on purpose, patch by patch, and see the tests go red: ARGS="--only NAME"
	@$(BIN)/python -m tests.mutants $(ARGS)

lint: setup ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict pipeline
	@$(BIN)/lint-imports

format: setup ## let ruff rewrite what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

check: lint test ## what a pull request must pass

docs: setup ## remake the pages that are made of the code
	@$(BIN)/python -m pipeline.telemetry.reference > docs/metrics.md
	@$(BIN)/python -m helm.dashboards
	@$(BIN)/python -m tests.chart.settings_schema

bench: setup services ## Calends beside workers by hand, in under ten minutes; more: PEERS="faststream pyrallel"
	@$(BIN)/python -m bench $(or $(ARGS),contest) $(if $(PEERS),--peers $(PEERS))

image: ## build the container image (ENGINE=podman: docs/image.md)
	$(ENGINE) build --tag $(IMAGE) $(ARGS) .

image-test: setup services ## build the image and run it, and the chart's pods, as restricted as they will be
	@$(BIN)/python -m pytest tests/image $(ARGS)

sbom: setup ## dist/calends.cdx.json: what the image installs, as CycloneDX
	@$(BIN)/python -m tests.scans.sbom

audit: setup ## known vulnerabilities of what is locked; 3 where no database answers
	@$(BIN)/python -m tests.scans.audit

lock: setup ## remake requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --all-extras --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml --output-file requirements.lock
	@! grep -nE '://|^--' requirements.lock

bench-lock: setup # remake the locks of the peers that `make bench` measures
	@cd bench/peers; for peer in *.in; do \
	  python=$$(awk '$$1 == "#" && $$2 == "Python" {print $$3}' $$peer); \
	  ../../$(BIN)/uv pip compile --quiet --universal --python-version $$python --generate-hashes --upgrade \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links $$peer --output-file $${peer%.in}.lock; \
	done
	@! grep -nE '://|^--' bench/peers/*.lock

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
