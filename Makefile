# The commands people type. Everything runs in .venv, made from the pins in constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
BIN := .venv/bin
NEWEST := .venv-newest
# Of the Chinese edition two; its code and outputs are the English ones, which a test holds.
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb)) $(addprefix notebooks/zh/,01_data.ipynb 04_inference.ipynb)
# Strict: every output is compared, as notebooks/conftest.py does it. The slowest cell is a training of about a minute.
# Two files at a time: compiling a graph, which takes most of the time, uses one core.
PARALLEL := -n 2 --dist loadfile
NBVAL := $(BIN)/python -m pytest $(PARALLEL) --nbval --nbval-current-env --nbval-cell-timeout=300 -p no:cacheprovider

# In a container one is often root, whom JupyterLab turns away unless told.
ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help train test lint unit fast test-full notebooks-test test-portable torch parity bench bench-guard newest notebooks regenerate picture clean

help:  ## list these targets
	@grep -E '^[a-z./-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 18

train: .venv  ## train on procedural facades (preset quick) and say which page to open
	$(BIN)/pix2pix-ms train --preset quick --out runs/quick-$$(date +%Y%m%d-%H%M%S)

test: lint unit notebooks-test  ## everything CI runs: lint, types, unit tests, notebooks

lint: .venv  ## ruff, mypy, and which room imports which
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

unit: .venv  ## the unit tests; it says which it skips without PyTorch, or without a browser
	$(BIN)/python -m pytest $(PARALLEL) tests

fast: .venv  ## the quick unit tests: no notebooks, no child processes
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow' tests

test-full: .venv  ## the tests of kills, damage and long runs in full numbers, some minutes
	FAULTS=full $(BIN)/python -m pytest $(PARALLEL) tests/faults tests/test_every_model.py

notebooks-test: .venv  ## run every notebook and compare every output
	$(NBVAL) $(NOTEBOOKS)

test-portable: .venv  ## the notebooks as a CPU without AVX-512 computes them
	DNNL_MAX_CPU_ISA=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 $(NBVAL) $(NOTEBOOKS)

torch: .venv  ## install PyTorch, so that the tests that compare with it run too
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[torch]'

parity: torch  ## compare networks, training and converted weights with PyTorch itself
	$(BIN)/python -m pytest tests/pix2pix/test_parity.py tests/exchange/test_convert.py

bench: torch  ## measure ours beside its peers (installs PyTorch), write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-guard: $(NEWEST)/ready  ## one training step on the newest MindSpore with the cap on oneDNN and without
	$(NEWEST)/bin/python -m benchmarks.guard

newest: .venv $(NEWEST)/ready  ## networks, step, data and training on the newest MindSpore that is admitted; says what differs
	$(BIN)/python -m benchmarks.newest $(BIN)/python $(NEWEST)/bin/python
	$(NEWEST)/bin/python -m pytest $(PARALLEL) tests/pix2pix/test_nets.py tests/pix2pix/test_step.py tests/test_every_model.py tests/data tests/training

$(NEWEST)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(NEWEST)
	grep -v '^mindspore==' constraints.txt > $(NEWEST)/constraints.txt
	$(NEWEST)/bin/python -m pip install -q --disable-pip-version-check -c $(NEWEST)/constraints.txt -e '.[dev]'
	touch $(NEWEST)/ready

notebooks: .venv  ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks $(ROOT)

regenerate: .venv  ## run every notebook, store its outputs, and build the Chinese edition
	$(BIN)/python notebooks/regenerate.py && $(BIN)/python notebooks/zh/build.py

picture: .venv  ## make the README's picture again
	$(BIN)/python notebooks/picture.py

clean:  ## remove .venv and all runs
	rm -rf .venv $(NEWEST) runs

.venv: .venv/ready  ## create the environment, nothing else

.venv/ready: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 12), "Python 3.11 or 3.12 is needed, not " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch .venv/ready
