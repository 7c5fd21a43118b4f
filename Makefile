# make demo: a real manifest into an XNAT on this machine.  make test: linters, types and all tests.
# make test-fast: linters, types and the unit tests.
# make soak: changed bytes for every reader, kills and faults at many random instants, many random trees and lists.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-fast mutants soak container-test browser-test bench lint format clean

.venv/installed: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: .venv/installed
	$(BIN)/python -m sandbox.demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: lint
	$(BIN)/python -m pytest -n 2 tests/unit

SECONDS_EACH ?= 600
KILLS ?= 500
TREES ?= 6000
SEED ?= $(shell date +%s)

soak: .venv/installed
	@echo "seed $(SEED): the same again with make soak SEED=$(SEED)"
	SECONDS_EACH=$(SECONDS_EACH) SEED=$(SEED) $(BIN)/python -m pytest -n 2 -rP tests/fuzz
	KILLS=$(KILLS) SEED=$(SEED) $(BIN)/python -m pytest -n 2 -rP tests/job/test_kills.py tests/job/test_hostile_sites.py
	TREES=$(TREES) SEED=$(SEED) $(BIN)/python -m pytest -n 2 tests/laws/test_trees.py
	LISTS=20000 SEED=$(SEED) $(BIN)/python -m pytest tests/unit/request/test_random_lists.py

# Small changes of the core, one at a time, and which of them no unit test notices; about an hour, goes on where it was.
mutants: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'mutmut>=3.8,<4'
	$(BIN)/mutmut run --max-children 2
	$(BIN)/python -m tests.mutants

# The image, built and run with Docker or Podman; where neither works, Podman is installed (Debian, as root).
container-test: .venv/installed
	$(BIN)/python -m pytest --override-ini 'norecursedirs=.*' --timeout 1800 tests/container

# The report in Chromium, with screenshots in build/screenshots; where there is none, it is installed (Debian, as root).
browser-test: .venv/installed
	$(BIN)/python -m pytest --override-ini 'norecursedirs=.*' tests/browser

# What transfers cost, against curl and a plain script: about an hour, 24 GB of disk; curl and zip must be there.
bench: .venv/installed
	$(BIN)/python -m benchmarks --write

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo build mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis
