# Marquee: set up, run, test, measure. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8080
DATA ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Libraries must not start a thread per core inside each other's threads.
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

$(INSTALLED): setup.cfg constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages (a few minutes, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

.PHONY: help install demo pipeline serve test audit lint format bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
	@echo "  DATA=DIR takes a MovieLens folder instead of the simulated service; PORT=8080 is where it serves."

install: $(INSTALLED) ## create .venv with the pinned packages

demo: pipeline ## everything: data, features, models, then serve the homepage
	@$(MAKE) --no-print-directory serve

pipeline: $(INSTALLED) ## data, features, training, bundle; DATA=DIR for MovieLens
	@$(BIN)/python -m training pipeline $(if $(DATA),--data "$(DATA)")

serve: $(INSTALLED) ## serve what is there on http://127.0.0.1:$(PORT)
	@exec $(BIN)/python -m serving run --port $(PORT)

test: $(INSTALLED) ## style, types, import arrows and all tests
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

bench: $(INSTALLED) ## measure speed against baselines; writes var/bench.json
	@$(BIN)/python -m tests.benchmarks

audit: $(INSTALLED) ## ask the advisory database about every pinned package; needs a network
	@$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

format: $(INSTALLED) ## put the code into the project's style
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

clean: ## remove all state under var/ (the lake, Redis, bundles, reports)
	@rm -rf var
