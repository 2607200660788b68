# `make up` runs Natter, `make test` tests it. Each installs what it needs first.
# Needs: Python 3.11 or newer with venv, and make. Everything else comes from the hashed lock file.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/pytest -n 3 --no-loadscope-reorder
STAMP  := $(VENV)/.installed
IMAGE  := $(VENV)/.installed-for-image
# Its own two distributions; the second is not named as a dependency of the first, because no registry has it yet, and
# whoever takes that name on one must not get into an installation.
OWN    := --editable . --editable sdk/python
LOCKS  := requirements-uv.lock requirements.lock

# Compiled modules are what lets a process start within a second, and dozens start in a run of the tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
FUZZED := packet polled stream frames
SECONDS ?= 60

.PHONY: help install image-install browser up collect test test-pg15 fuzz lint reference vendor lock bench clean

help: ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

install: $(STAMP) ## Create the environment from the lock file

image-install: $(IMAGE) ## The same without what only tests and linters need, compiled: what the Dockerfile runs
	@$(BIN)/python -m compileall -q kernel control_plane billing portal data_plane ops sdk/python/src

$(STAMP): LOCKS += requirements-dev.lock
$(STAMP) $(IMAGE): requirements.lock requirements-dev.lock pyproject.toml sdk/python/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Natter needs Python 3.11 or newer: apt-get install python3 python3-venv, or make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "Installing Natter into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes $(LOCKS)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(OWN)
	@rm -f $(STAMP) $(IMAGE)
	@touch $@

up: install ## Run everything here: PostgreSQL, Valkey, control plane, a node, a worker
	@exec $(BIN)/natter up $(ARGS)

# The shell takes half the processor time of the whole browser, so that one is only the second choice.
browser: ## Debian's headless Chromium for the tests of pages, installed when it is missing
	@command -v chromium-headless-shell > /dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ]; then as=env; elif sudo -n true 2> /dev/null; then as="sudo -n env"; fi; \
	if test -n "$$as" && command -v apt-get > /dev/null; then \
	  echo "Installing Debian's headless Chromium ..."; \
	  get="$$as DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::http::Timeout=20 -o Acquire::Retries=1"; \
	  $$get update > /dev/null && $$get install -y chromium-headless-shell > /dev/null && exit 0; fi; \
	command -v chromium > /dev/null && exit 0; \
	echo "The tests need Debian's headless Chromium: apt-get install chromium-headless-shell"; exit 1

collect: install
	@$(BIN)/pytest --collect-only -qq > /dev/null || $(BIN)/pytest --collect-only -q

# Collected beside the linters, where a core is idle, so that the test processes find every module compiled.
test: install browser ## Lint, types, and every test on PostgreSQL 18; then on Debian's 15 where it is installed
	@$(MAKE) --no-print-directory -j2 lint collect
	$(PYTEST) $(ARGS)
	@if test -x /usr/lib/postgresql/15/bin/postgres; then $(MAKE) --no-print-directory test-pg15; else \
	  echo "PostgreSQL 15 is not installed, so its run is left out: apt-get install postgresql-15"; fi

test-pg15: install ## The tests that touch a database, on Debian's PostgreSQL 15
	NATTER_TEST_POSTGRES=/usr/lib/postgresql/15/bin $(PYTEST) tests/data_plane tests/control_plane tests/billing tests/scenarios

fuzz: install ## Fuzz the packet codec, SECONDS=60 for each target (finds stay in .fuzz), and try histories of chats
	@for target in $(FUZZED); do \
	  $(BIN)/python -m tests.fuzz.harness $$target --seconds $(SECONDS) --corpus .fuzz/$$target || exit 1; done
	$(BIN)/pytest --hypothesis-profile=explore tests/fuzz/test_codec.py
	$(BIN)/pytest --hypothesis-profile=explore --timeout=0 tests/convergence/test_convergence.py

lint: install ## Style, import contracts, types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports --no-logo > /dev/null || $(BIN)/lint-imports
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary --explicit-package-bases tests/portal

reference: install ## Write docs/reference and sdk/protocol from the code
	$(BIN)/python -m ops.reference

vendor: install ## Give the portal's demo the JavaScript SDK as its sources are now
	$(BIN)/python -m tests.sdk.js.package vendor

lock: ## Renew the lock files; they hold names, versions and hashes, no addresses
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --group dev -c requirements.lock -o requirements-dev.lock
	printf "uv\nsetuptools>=77\n" | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header - -o requirements-uv.lock

bench: install ## Measure; see natter bench --help
	$(BIN)/natter bench $(ARGS)
	@echo "The JavaScript SDK: 10,000 events through its reducer, and bytes that an app downloads beside socket.io-client"
	@$(BIN)/python -m tests.sdk.js.package bench

clean: ## Remove the environment and caches, keep the data in .natter
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz build *.egg-info
