# `make demo` builds the example game, `make test` runs the tests, `make check` runs all checks of CI. Each target
# creates the .venv that it needs.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
TOOLS := libimage-exiftool-perl ffmpeg fish godot3-server mediainfo mono-mcs mono-runtime nodejs opus-tools sox strace zsh
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help setup setup-audiocraft setup-dev demo test test-slow check lint types imports docs tables format bench-rebuild browser tools clean

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(VENV)/.cuesmith  ## Create .venv with Cuesmith.

setup-audiocraft: $(VENV)/.cuesmith-audiocraft  ## Add the audiocraft engine to .venv: torch, transformers, AudioCraft.

setup-dev: $(VENV)/.cuesmith-dev  ## Add what tests and checks need to .venv.

$(VENV)/.cuesmith: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[c2pa]'
	touch $@

# AudioCraft pins a torch of 2023 and a hundred packages that inference does not use: install it without dependencies.
$(VENV)/.cuesmith-audiocraft: $(VENV)/.cuesmith
	$(PIP) torch==2.13.0
	$(PIP) -e '.[audiocraft]'
	$(PIP) --no-deps audiocraft==1.3.0
	touch $@

$(VENV)/.cuesmith-dev: $(VENV)/.cuesmith-audiocraft
	$(PIP) -e '.[dev,docs,s3,m4a]'
	touch $@

demo: setup  ## Build the example game with the sketch engine; needs no GPU, weights or network.
	$(BIN)/cuesmith build manifests/emberfall.yaml --profile prototype --outputs outputs

test: setup-dev  ## Run the default tests in WORKERS processes (default 2; 0: one after another).
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

tools:  ## Install the programs that tests read files and run packs with (Debian, as root).
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(TOOLS)

test-slow: setup-dev  ## Run the long tests, and the property tests with many random examples.
	$(BIN)/python -m pytest -m slow
	$(BIN)/python -m pytest -m 'hypothesis and not slow and not gpu and not network' --hypothesis-profile=thorough

browser:  ## Show where the browser tests look for Chromium, and how to install it.
	@echo "Tests and scripts use the first of: \$$CHROMIUM; chromium, chromium-browser or google-chrome in PATH; Playwright's."
	@echo "Debian, Ubuntu: apt-get install chromium.   Anywhere: $(BIN)/python -m playwright install chromium"
	@echo "One test uses Firefox 129 or newer: \$$FIREFOX; firefox or firefox-esr in PATH. Debian: apt-get install firefox-esr."
	@echo "If there is none, tests marked browser are skipped."

check: lint types imports docs  ## Check format, lint, types, import rules and docs.

lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup-dev
	$(BIN)/python -m mypy

imports: setup-dev
	$(BIN)/lint-imports

docs: setup-dev  ## Check the docs, and build their site into build/site (`make test` also runs the tutorial).
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	$(BIN)/python -m pytest -q tests/docs -k 'not tutorial_runs'

tables: setup  ## Write the tables of the docs and the JSON Schema from the tables of keys, formats and gates.
	$(BIN)/python scripts/manifest_tables.py
	$(BIN)/python scripts/format_table.py
	$(BIN)/python scripts/gate_table.py

format: setup-dev  ## Format the code and fix lint errors.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-rebuild: setup  ## Time builds with nothing to do, up to 100,000 variations, against DVC.
	$(BIN)/python benchmarks/rebuild.py

clean:  ## Remove .venv and all build outputs.
	rm -rf $(VENV) build dist *.egg-info
	find outputs -mindepth 1 ! -name README.md -delete
