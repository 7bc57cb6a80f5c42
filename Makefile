# `make help` lists what there is to make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard registry tests spec-conformance benchmarks)
ROUNDS ?= 200
WORKERS ?= 2
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps
UV := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet

.PHONY: help serve test check lint types clients crash bench bench-quick schema access-table artifact-pages lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

serve: $(VENV)/server.stamp ## install and start a registry on 127.0.0.1:8080, data in ./data (PORT, HOST, GATI_DATA_DIR)
	@exec $(BIN)/python -m registry serve

test: $(VENV)/test.stamp clients ## run the whole suite, with coverage
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --cov --cov-report=term

check: lint types test ## all that a change must pass; what .ci/run calls

lint: $(VENV)/test.stamp ## ruff, all rules
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/test.stamp ## mypy, strict
	$(BIN)/mypy $(SOURCES)

clients: $(VENV)/test.stamp ## build and install the real clients of the tests; REQUIRE_CLIENTS=1 leaves none out
	@if [ -x tests/clients/install ]; then tests/clients/install $(if $(REQUIRE_CLIENTS),--all-required); fi

crash: $(VENV)/test.stamp ## kill and restart a loaded registry ROUNDS times (200)
	CRASH_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q -m crash --timeout 0

bench: $(VENV)/test.stamp clients ## measure this registry beside its peers, within an hour; BENCH="--rows …" (--list shows them)
	$(BIN)/python -m benchmarks $(BENCH)

bench-quick: $(VENV)/test.stamp clients ## the same for the most telling rows, under three minutes
	$(BIN)/python -m benchmarks --quick $(BENCH)

schema: $(VENV)/server.stamp ## write migrations/schema.sql anew, after a change of the migrations
	@$(BIN)/python -m tests.schema

access-table: $(VENV)/server.stamp ## write docs/access-table.md anew, after a change of who may do what
	@$(BIN)/python -m registry.namespaces.table_page > docs/access-table.md

artifact-pages: $(VENV)/server.stamp ## write docs/artifacts/<type>.md anew, after a change of the types of artifacts
	@$(BIN)/python -m registry.artifacts.pages docs/artifacts

lock: $(VENV)/test.stamp ## choose and pin the newest versions of all dependencies
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) --upgrade pyproject.toml --extra server --output-file requirements/server.txt
	$(UV) --upgrade pyproject.toml --extra server --extra test --constraints requirements/server.txt \
		--output-file requirements/test.txt
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(UV) --upgrade - --output-file requirements/build.txt

clean: ## remove what was installed, built and cached; the registry's data stays
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "This needs Python 3.11 or newer: install it, or name one, as in: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python has no venv module: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/server.stamp: requirements/server.txt | $(BIN)/python
	@echo "Installing the server's dependencies."
	@$(PIP) -r requirements/server.txt
	@touch $@

$(VENV)/test.stamp: requirements/test.txt | $(BIN)/python
	@echo "Installing the test dependencies."
	@$(PIP) -r requirements/test.txt
	@touch $@ $(VENV)/server.stamp
