# `make demo` and `make test` set up .venv on first use; everything it holds is pinned in requirements/ci.txt.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
OUT ?= out/demo
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# pip, not uv: only pip knows where this machine keeps its build of torch for the CPU.
PIP := $(BIN)/python -m pip -qq --no-input --disable-pip-version-check

.PHONY: help demo test fast fuzz check docs schema reference format bench browser lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(READY) ## simulate, teach, compress and report on the built-in traffic
	@$(BIN)/overproof demo --out $(OUT) || [ $$? = 1 ]  # 1: it may not be deployed, which is a result

# Two processes of one thread each. A file's tests stay together: what they train is made once a file. They come as
# tests/conftest.py orders them: else the files of few tests, which train longest, would all come last.
test: check browser ## everything: style, types, layers, documentation and all tests
	@OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# The lesson's page is tested in a real browser; where there is none and none can be installed, those tests are skipped.
browser:
	@command -v chromium chromium-browser >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	    && echo "chromium is missing: installing it" >&2 && apt-get -qq update \
	    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; } \
	    || echo "no chromium: the browser's tests will be skipped" >&2

fast: $(READY) ## the tests that take seconds
	@$(BIN)/pytest -q -m "not slow"

# What is written from the code is compared first: the whole suite would say so only after the rest.
check: docs ## style, types, layers, documentation
	@$(BIN)/pytest -q tests/checks/test_schema.py tests/test_reference.py
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: $(READY) ## build the documentation into out/site; a broken link or a name that is gone fails
	@mkdir -p out
	@NO_COLOR=1 $(BIN)/zensical build --clean --strict >out/docs.log 2>&1 || { cat out/docs.log >&2; exit 1; }

schema: $(READY) ## write docs/check-schema.md and docs/check.schema.json from the types of the results
	@$(BIN)/python -m overproof.checks.schema docs

reference: $(READY) ## write docs/cli.md from what --help says
	@$(BIN)/python -m overproof.cli.reference docs

format: $(READY) ## put the sources in shape
	@$(BIN)/ruff check -q --fix .
	@$(BIN)/ruff format -q .

bench: $(READY) ## measure everything and write docs/benchmarks.md; the data is in OVERPROOF_DATA, else ../shared/data
	@$(BIN)/python bench/main.py

# The table is written whatever was found; 1 says that something was, and the inputs are in out/fuzz.
fuzz: $(READY) ## try a million hostile inputs, in an hour on two cores, and write docs/benchmarks.md
	@rm -f out/bench/fuzzing.json
	@$(BIN)/python bench/main.py fuzzing
	@$(BIN)/python -c 'import json; exit(bool(json.load(open("out/bench/fuzzing.json"))["findings"]))'

$(READY): requirements/ci.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "overproof needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "python3-venv is missing: installing it" >&2; \
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv python3-pip >/dev/null; }
	@echo "setting up $(VENV) (once; about two minutes)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -r requirements/ci.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# torch stays what it is: newer releases come with gigabytes of CUDA, unless a build for the CPU is at hand.
lock: ## renew requirements/ci.txt: the newest versions that pyproject.toml allows, but for torch
	@rm -rf $(VENV)-lock
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/pip install -qq -e '.[dev]' "$$(grep '^torch==' requirements/ci.txt)"
	@$(VENV)-lock/bin/pip freeze -qq --all --exclude-editable --exclude pip \
	    | sed 's/+cpu$$//' | cat <(sed -n '/^#/p' requirements/ci.txt) - > requirements/ci.new
	@mv requirements/ci.new requirements/ci.txt
	@rm -rf $(VENV)-lock

clean: ## remove everything made here
	@rm -rf $(VENV) $(VENV)-lock out build dist .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
