# One file of verbs for people and for continuous integration.
#
#   make serve   build what is missing, fetch the models, start on http://127.0.0.1:8080
#   make test    build likewise, then run every test (installs Debian's browser and test voices if they are missing)
#   make check   format, lint, types and the unit tests of what changed: seconds
#   make fix     let the formatters and fixers mend what they can
#   make bench   the claims in numbers, each against a baseline of the same run
#   make soak    the seeded tests, ROUNDS times (1000): hostile peers, damaged packets and events, bad networks
#   make wheel   dist/*.whl, which runs without a compiler, Rust or Node
#
# Everything is built into .venv, target/ and src/parley/web_assets; nothing needs root but `make test-packages`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
STAMPS := .cache/make
export PATH := $(CURDIR)/$(BIN):$(PATH)
export CARGO_TARGET_DIR := $(CURDIR)/target
export PIP_DISABLE_PIP_VERSION_CHECK := 1
ARGS ?=

RUST_SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.toml' -o -name 'build.rs' 2>/dev/null) Cargo.toml Cargo.lock
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null)
CHANGED := $(BIN)/python tools/changed.py

.PHONY: help build serve test check fix bench wheel lock models test-models test-packages test-tools clean soak

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

# --- building ---------------------------------------------------------------------------------------------------------

$(STAMPS)/tools:
	@tools/require.sh $(PYTHON)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/venv: requirements/build.txt requirements/runtime.txt | $(STAMPS)/tools
	@echo "· Python packages (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@touch $@

$(STAMPS)/native: $(RUST_SOURCES) pyproject.toml $(STAMPS)/venv
	@echo "· the media core in Rust (two to five minutes the first time)"
	@$(BIN)/python tools/notices.py
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/node: web/package.json web/package-lock.json | $(STAMPS)/tools
	@echo "· Node packages"
	@npm ci --prefix web --no-fund --no-audit --loglevel=error
	@touch $@

$(STAMPS)/web: $(WEB_SOURCES) $(STAMPS)/node
	@echo "· the pages"
	@npm run --silent --prefix web build
	@touch $@

build: $(STAMPS)/native $(STAMPS)/web
	@test -x $(BIN)/parley

models: build
	@$(BIN)/parley models pull default

# The tests read one recording more: a human voice that comes with the recogniser.
test-models: build
	@$(BIN)/parley models pull default two-cities

serve: build
	@exec $(BIN)/parley serve $(ARGS)

wheel: $(STAMPS)/native $(STAMPS)/web
	@rm -rf dist && $(BIN)/python -m maturin build --release --locked --out dist --quiet
	@ls dist

# --- checking ---------------------------------------------------------------------------------------------------------

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

test-packages:
	@tools/test_packages.sh

test-tools: build $(STAMPS)/dev

check: $(STAMPS)/native $(STAMPS)/node $(STAMPS)/dev
	@$(CHANGED)

fix: $(STAMPS)/dev
	@$(BIN)/ruff check --fix --quiet src tests tools benchmarks || true
	@$(BIN)/ruff format src tests tools benchmarks
	@cargo fmt

# The order is the order of the answers' worth: seconds first, browsers last.
test: test-packages test-tools test-models
	@tools/test.sh $(ARGS)

bench: test-tools models
	@$(BIN)/python -m benchmarks $(ARGS)

ROUNDS ?= 1000
soak: test-tools test-models
	@PARLEY_SOAK_ROUNDS=$(ROUNDS) cargo test --release -p parley-media -p parley-driver -- hostile damaged network
	@PARLEY_SOAK_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q --timeout 0 tests/unit/protocol/test_fuzz.py \
	  tests/unit/protocol/test_session_properties.py tests/server/test_fuzz_over_sockets.py

lock: $(STAMPS)/dev
	@tools/lock.sh

clean:
	rm -rf .venv .cache target dist web/node_modules src/parley/web_assets src/parley/_media*.so
