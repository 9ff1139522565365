# make demo, make test: both set up .venv first, once.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow test-gpu lint setup clean
.DEFAULT_GOAL := demo

demo: setup
	$(BIN)/textgym benchmark docstring

test: setup lint
	$(BIN)/python -m pytest -n 2

test-slow: setup
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[ray,torchrl]"
	$(BIN)/python -m pytest -m slow

test-gpu: setup
	$(BIN)/python -m pytest -m gpu

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "TextGym needs Python 3.11 or newer: call make with PYTHON=python3.12, say"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
	    { echo "the venv module of $(PYTHON) is missing (on Debian: apt install python3-venv)"; rm -rf .venv; exit 1; }
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info runs
