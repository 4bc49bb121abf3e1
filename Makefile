# One door to everything: `make demo` builds the example game, `make test` runs every test, `make check` runs all
# checks that CI runs. Each makes the .venv that it needs.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help setup setup-audiocraft setup-dev demo test test-slow check lint types imports docs tables format bench-rebuild browser tools clean

help:  ## What there is to make.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.cuesmith  ## The .venv with Cuesmith in it.

setup-audiocraft: $(VENV)/.cuesmith-audiocraft  ## The .venv with the audiocraft engine: torch, transformers, AudioCraft.

setup-dev: $(VENV)/.cuesmith-dev  ## The .venv with all that tests and checks need.

$(VENV)/.cuesmith: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[c2pa]'
	touch $@

# AudioCraft pins a torch of 2023 and a hundred packages that inference never calls, so it comes without them.
$(VENV)/.cuesmith-audiocraft: $(VENV)/.cuesmith
	$(PIP) torch==2.13.0
	$(PIP) -e '.[audiocraft]'
	$(PIP) --no-deps audiocraft==1.3.0
	touch $@

$(VENV)/.cuesmith-dev: $(VENV)/.cuesmith-audiocraft
	$(PIP) -e '.[dev,s3,m4a]'
	touch $@

demo: setup  ## Build the example game with the sketch engine; no GPU, no weights, no network.
	$(BIN)/cuesmith build manifests/emberfall.yaml --profile prototype --outputs outputs

test: setup-dev  ## Every test of the default suite, in WORKERS processes (2; 0: one test after another).
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

tools:  ## Debian: the programs with which tests read tags back (as root).
	apt-get install -y libimage-exiftool-perl mediainfo ffmpeg

test-slow: setup-dev  ## The long tests: many kills, many mutations.
	$(BIN)/python -m pytest -m slow

browser:  ## Where the browser tests find a Chromium, and how to get one.
	@echo "Tests and scripts use CHROMIUM, or chromium, chromium-browser, google-chrome on the path, or Playwright's own."
	@echo "Debian, Ubuntu: apt-get install chromium.   Anywhere: $(BIN)/python -m playwright install chromium"
	@echo "Without one the tests marked browser are skipped."

check: lint types imports docs  ## Format, lint, types, import rules, docs.

lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup-dev
	$(BIN)/python -m mypy

imports: setup-dev
	$(BIN)/lint-imports

docs: setup-dev
	$(BIN)/python -m pytest -q tests/docs

tables: setup  ## Write the tables of docs/manifest.md and the JSON Schema from the manifest's keys.
	$(BIN)/python scripts/manifest_tables.py

format: setup-dev  ## Bring the code into shape.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-rebuild: setup  ## Time builds with nothing to do at up to 100,000 variations, beside DVC.
	$(BIN)/python benchmarks/rebuild.py

clean:  ## Remove the .venv and everything that builds wrote.
	rm -rf $(VENV) build dist *.egg-info
	find outputs -mindepth 1 ! -name README.md -delete
