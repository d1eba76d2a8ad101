# Two commands do everything: `make build` and `make test`. PYTHON may name another interpreter (3.11 or later).
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# The notebooks without a board: pynq wants NumPy 1, so they have an environment of their own.
NOTEBOOK_VENV ?= .venv-notebook
BOARD  ?= pynq-z2
JOBS   ?= $(shell nproc)

.PHONY: build test docs test-slow prove mutants fuzz notebook-env registers lint env clean help

help:
	@echo "make build      environment, then bvit-hw build --board $(BOARD)"
	@echo "make test       environment, then all tests but the slow ones"
	@echo "make docs       the documentation as pages, in build/docs/index.html; warnings are errors"
	@echo "make test-slow  the slow suites: all test images, full sizes, mutations"
	@echo "make prove      formal proofs of rtl/: all of them (docs/verification.md)"
	@echo "make mutants    small faults in rtl/, each of which a bench has to notice (docs/mutants.md)"
	@echo "make fuzz       random networks, from frozen to RTL logits, for a night; SEED=S goes on (docs/verification.md)"
	@echo "make notebook-env  an environment with pynq and JupyterLab, for the notebooks on the simulated device"
	@echo "make lint       ruff, import rules, style of rtl/, registers, mypy"
	@echo "make registers  what follows from rtl/shell/registers.toml: RTL package, driver's map, table of the page"

# The stamp changes with what is to be installed, so that a pull brings its new dependencies with it.
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

env: $(STAMP)

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one by: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@echo "installing into $(VENV), about 6 GB: some minutes without a word"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

build: env
	$(BIN)/bvit-hw build --board $(BOARD)

test: env
	PATH="$$(cd $(BIN) && pwd):$$PATH" $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q -m "not slow" tests sim hls prove

test-slow: env
	HYPOTHESIS_PROFILE=random PATH="$$(cd $(BIN) && pwd):$$PATH" $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q -m slow tests sim hls prove

docs: env
	PYTHONPATH="$$PWD" $(BIN)/python -m sphinx -q -n -W --keep-going -b html -d build/docs-cache docs build/docs
	@echo "build/docs/index.html"

prove: env
	$(BIN)/python prove/run.py --jobs $(JOBS)

mutants: env
	$(BIN)/python sim/mutate.py --jobs $(JOBS)

# Without SEED a new one, which it prints.
fuzz: env
	$(BIN)/python sim/fuzz_networks.py $(if $(SEED),--seed $(SEED)) --count $(or $(COUNT),400)

notebook-env:
	$(PYTHON) -m venv $(NOTEBOOK_VENV)
	$(NOTEBOOK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r boards/notebooks/requirements.txt jupyterlab

registers: env
	$(BIN)/python -m bvit_hw.codegen.registers

lint: env
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python rtl/check_style.py
	$(BIN)/python rtl/check_slang.py
	$(BIN)/python -m bvit_hw.codegen.registers --check
	$(BIN)/mypy --strict bvit_hw/api bvit_hw/deprecation.py bvit_hw/cli bvit_hw/contract bvit_hw/qonnx/operators bvit_hw/qonnx/pattern.py bvit_hw/qonnx/read.py bvit_hw/ops \
	  bvit_hw/engine bvit_hw/explore bvit_hw/finn bvit_hw/graph bvit_hw/codegen bvit_hw/targets bvit_hw/boards.py bvit_hw/models/config.py

clean:
	rm -rf $(VENV) build
