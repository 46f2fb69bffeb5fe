# make app: the app with the bundled demo.   make test: checks and tests.   Both set up what is missing.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
ADDRESS ?= 127.0.0.1
ARGS ?=
# Files of tests are shared out among so many processes, the slow ones of the browser first.
WORKERS ?= auto
SPREAD := -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Models come from local folders unless HF_HUB_OFFLINE=0 is given.
export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: app test check format setup setup-dev
.DEFAULT_GOAL := app

app: setup
	@echo "difflm: http://$(ADDRESS):$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m streamlit run app.py --server.address=$(ADDRESS) --server.port=$(PORT) \
		--server.headless=true --browser.gatherUsageStats=false

test: setup-dev
	@$(MAKE) --no-print-directory check
	@rm -f $(VENV)/.pytest-exit; $(BIN)/python -m pytest $(SPREAD) $(ARGS); code=$$?; \
		echo $$code > $(VENV)/.pytest-exit; exit $$code

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.stamp $(VENV)/.stamp-package

setup-dev: $(VENV)/.stamp-dev setup

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo "difflm: expected $(PYTHON), but got none; install Python 3.11 or newer, or set PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "difflm: expected Python 3.11 or newer, but got $$($(PYTHON) -V 2>&1); install it, or set PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
		echo "difflm: expected Python's venv module, but got none; on Debian or Ubuntu run: apt-get install python3-venv" >&2; exit 2; }
	@echo "difflm: setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/.stamp: requirements.txt | $(BIN)/python
	@echo "difflm: installing what requirements.txt names (a few minutes the first time)"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.stamp-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/.stamp

$(VENV)/.stamp-package: pyproject.toml $(VENV)/.stamp
	@$(PIP) --no-deps -e .
	@touch $@
