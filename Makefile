# make demo   the whole way from a spec to a running export, on the embedded sandbox, in under two minutes
# make test   every check: format, lint, types, layers, tests
# make bench  seconds, memory and requests for estates of 100 to 50 000 entities
# make chaos  every crash point, a thousand storms, two applies at once, mistakes made on purpose: an hour and a half
# All of them make .venv first; Python 3.11 or newer is all they need.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench chaos clean

demo: $(VENV)/.demo
	@docs/demo/run.sh "$(abspath $(BIN))"

test: check
	@$(BIN)/pytest -n 2

check: $(VENV)/.dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks

chaos: $(VENV)/.dev
	@KXRECON_CHAOS=1 $(BIN)/pytest -n 2 tests/chaos tests/mutations tests/sandbox/fuzz tests/e2e/test_bad_input.py

clean:
	rm -rf $(VENV) .kxrecon .mypy_cache .ruff_cache .import_linter_cache

# Installed again only when what is to be installed changed.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo "installing kxrecon into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sandbox]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing kxrecon and its checks into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,sandbox]'
	@touch $@ $(VENV)/.demo

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kxrecon needs Python 3.11 or newer: make PYTHON=…")'
	@$(PYTHON) -m venv $(VENV)
