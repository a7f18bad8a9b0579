# hce-citus: `make up` leaves a verified database at localhost:30007, `make test` runs every tier that this machine can run.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help up down test lint generate clean

help: ## Show what there is
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make up PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[local]'
	@touch $@

$(VENV)/developed: $(VENV)/installed
	$(BIN)/pip install --quiet --editable '.[local,dev]'
	@touch $@

up: $(VENV)/installed ## Make a virtual environment, start the database, show a sample patient
	$(BIN)/pyhce up --sample

down: $(VENV)/installed ## Stop the database; its data stays
	$(BIN)/pyhce down

test: $(VENV)/developed ## Run every tier of tests that this machine can run
	$(BIN)/python tests/run.py

lint: $(VENV)/developed ## ruff, mypy --strict, import-linter, sqlfluff on the generated SQL
	$(BIN)/ruff check pyhce tests tools
	$(BIN)/ruff format --check pyhce tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar postgres-citus/init

generate: $(VENV)/installed ## Write the files that are made from the declaration
	$(BIN)/pyhce generate sql
	$(BIN)/pyhce generate docs

clean: ## Remove the virtual environment and caches; the database stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
