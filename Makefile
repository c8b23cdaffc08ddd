# `make demo` and `make test` each work as the first command in a clean clone: they set up .venv by themselves.
# Needed: Python >= 3.11 with venv, and a package registry. Say `make PYTHON=/path/to/python` to choose another Python.

VENV := .venv
BIN := $(VENV)/bin

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Setting up again is due when what is required has changed, not when a file has a new date.
REQUIRED := $(shell cat pyproject.toml client/pyproject.toml | cksum | cut -d ' ' -f 1)
READY := $(VENV)/.ready-$(REQUIRED)

.PHONY: help setup demo test bench arm accuracy lint format clean

help:
	@echo "make setup   create $(VENV) with everything (the other targets do it by themselves)"
	@echo "make demo    profile this CPU, predict nine real networks over HTTP, measure them, compare (4 minutes)"
	@echo "make test    all tests, linters and type checks included"
	@echo "make bench   how long predicting takes and where the time goes; what happens when parts are killed (45 minutes)"
	@echo "make arm     the agent and lowering on an emulated ARM processor (fetches 300 MB at first; Debian or Ubuntu)"
	@echo "make accuracy  how right predictions are: splits, regressors, real models (an hour and a half, leave the machine alone)"
	@echo "make lint    ruff, mypy and the import rules alone"

setup: $(READY)

$(READY):
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found: install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot create $(VENV): install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing ArchGauge and what it needs into $(VENV) (a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
		$(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(BIN)/python -e client -e '.[dev]' || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e client -e '.[dev]'
	@rm -f $(VENV)/.ready-*
	@touch $@

demo: $(READY)
	@$(BIN)/archgauge demo

test: $(READY)
	@$(BIN)/python -m pytest

bench: $(READY)
	@$(BIN)/python -m benchmarks.stages
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.agents kill --kills 40 --database postgresql
	@$(BIN)/python -m benchmarks.agents crowd
	@$(BIN)/python -m benchmarks.agents idle --seconds 30
	@$(BIN)/python -m benchmarks.agents loop --budget 120
	@rm -rf build/gpu-rehearsal && $(BIN)/python -m benchmarks.gpu build/gpu-rehearsal --minutes 3 --models 3 --rehearse

arm: $(READY)
	@$(BIN)/python -m benchmarks.emulated_arm lowering
	@$(BIN)/python -m benchmarks.emulated_arm agent

accuracy: $(READY)
	@$(BIN)/python -m benchmarks.accuracy run build/accuracy

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
