# make run        set up .venv and serve            ARGS="--port 9000" reaches run_server.py
#                 ENGINE=vexpress serves the big model, with what it needs
# make test       every check, then the tests       ARGS="-k audio" reaches pytest
# make check      format, lint, import rules, types, the web client
# make audit      known vulnerabilities of what is pinned; needs the network
# make format     rewrite the Python files in the house style
# make train-motion  rebuild the motion weights from CORPUS, a folder of clips; resumes
# make train-mouth   train a painted mouth from CORPUS into build/training; resumes
# make clean      remove what these targets have made
#
# PYTHON       the Python to build the environment with (3.11 or newer)
# VENV         where the environment lives
# WORKERS      processes that share the tests; 0: pytest's own does all, as a debugger needs it
# TORCH_INDEX  a further package index to look for PyTorch in. On Linux the default PyTorch brings
#              gigabytes of CUDA; an index of CPU builds avoids that (README, "Install").

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
ENGINE ?= portrait
ARGS ?=
WORKERS ?= 2
CORPUS ?=

ENGINES := portrait vexpress
ifneq ($(filter run,$(MAKECMDGOALS)),)
ifeq ($(filter $(ENGINE),$(ENGINES)),)
$(error ENGINE=$(ENGINE): expected one of: $(ENGINES))
endif
endif

BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
WEB_READY := web_client/node_modules/.ready
CLIENTS := tests/browser/clients
CLIENTS_READY := $(CLIENTS)/node_modules/.built/clients.js
# What targets say that are made at the same time is not mixed, where make can see to it.
IN_BLOCKS := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check check-python check-web setup setup-portrait setup-vexpress setup-test setup-web audit format train-motion train-mouth clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed '/^PYTHON /,$$d'

run: setup-$(ENGINE)
	$(BIN)/python run_server.py --engine $(ENGINE) $(ARGS)

test: check
	$(BIN)/python -m pytest --numprocesses $(WORKERS) $(ARGS)

check:
	@$(MAKE) --no-print-directory --jobs 2 $(IN_BLOCKS) check-python check-web

check-python: setup-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy .

check-web: setup-web
	@if command -v npm >/dev/null 2>&1; then \
		npm --prefix web_client run --silent check \
		&& NODE_OPTIONS=--test-reporter=spec npm --prefix web_client test --silent; \
	else \
		echo "SKIP the web client's types and tests: npm is not installed (Node.js 20 or newer)"; \
	fi

audit: $(BIN)/python
	@PYTHON=$(BIN)/python scripts/audit.sh build/audit

format: setup-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: setup-portrait

setup-portrait: $(VENV)/.ready

setup-vexpress: $(VENV)/.ready-vexpress

setup-test: $(VENV)/.ready-test

setup-web: $(if $(shell command -v npm),$(WEB_READY) $(CLIENTS_READY))

$(VENV)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) '.[demo]'
	@touch $@

$(VENV)/.ready-vexpress: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) '.[demo,vexpress]'
	@touch $@ $(VENV)/.ready

# What tests need includes what running needs, so that one installation serves both.
$(VENV)/.ready-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) '.[demo,test,dev]'
	@touch $@ $(VENV)/.ready $(VENV)/.ready-vexpress

# Without its python the folder counts as not made: a set-up that failed is tried again.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "vexpress-live needs Python 3.11 or newer, but '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; exit 1; }

$(WEB_READY): web_client/package.json $(wildcard web_client/package-lock.json)
	cd web_client && npm $(if $(wildcard web_client/package-lock.json),ci,install) --no-audit --no-fund --silent
	@touch $@

# Clients of WHIP and WHEP that others wrote, for one browser test.
$(CLIENTS_READY): $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(CLIENTS)/clients.js
	cd $(CLIENTS) && npm ci --no-audit --no-fund --silent && npm run --silent build

# Voices are made by whichever synthesiser is installed: pip install ".[voices]", apt install flite.
train-motion: $(VENV)/.ready-train
	$(if $(CORPUS),,$(error name the corpus: make train-motion CORPUS=FOLDER))
	$(BIN)/python -m engine.training.make_voices --out build/training/voices
	$(BIN)/python -m engine.training.phones --corpus $(CORPUS) --out engine/weights/phones.safetensors
	$(BIN)/python -m engine.training.motion --corpus $(CORPUS) \
		--out engine/weights/motion.safetensors $(ARGS)

# Not into engine/weights: the portrait engine would show it, and it must be looked at first.
train-mouth: $(VENV)/.ready-train
	$(if $(CORPUS),,$(error name the corpus: make train-mouth CORPUS=FOLDER))
	OMP_NUM_THREADS=1 $(BIN)/python -m engine.training.mouth \
		--corpus $(CORPUS) --out build/training/mouth.safetensors $(ARGS)

$(VENV)/.ready-train: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) '.[train]'
	@touch $@

clean:
	rm -rf web_client/node_modules $(CLIENTS)/node_modules build vexpress_live.egg-info .mypy_cache .ruff_cache .pytest_cache
	$(if $(filter .venv,$(VENV)),rm -rf .venv)
