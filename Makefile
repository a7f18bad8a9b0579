# hce-citus: `make up` leaves a verified database at localhost:30007; `make test` tests a change, `make test-all` everything.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help up down test test-all coverage lint docs generate dist bench-load bench-save bench-export bench-chart tools clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make up PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[local,k8s]'
	@touch $@

$(VENV)/developed: $(VENV)/installed
	$(BIN)/pip install --quiet --editable '.[local,k8s,dev,docs]'
	@touch $@

$(VENV)/with-real-data: $(VENV)/developed
	$(BIN)/pip install --quiet --editable '.[local,k8s,dev,docs,real-data]'
	@touch $@

up: $(VENV)/installed ## Create a virtual environment, start the database, show a sample patient
	$(BIN)/pyhce up --sample

down: $(VENV)/installed ## Stop the database; its data stays
	$(BIN)/pyhce down

test: $(VENV)/developed ## Test a change: unit, chart, PostgreSQL and a part of Citus; no slow tests, no cluster
	$(BIN)/python tests/run.py

test-all: $(VENV)/with-real-data ## Run every test that this machine can run
	$(BIN)/python tests/run.py --all

coverage: $(VENV)/developed ## Line coverage of pyhce by the unit and PostgreSQL tests: htmlcov/index.html, coverage.xml
	$(BIN)/python tests/run.py unit postgres --quick --coverage

lint: $(VENV)/developed ## ruff, mypy --strict, import-linter, vulture, sqlfluff on the generated SQL
	$(BIN)/ruff check pyhce tests tools bench postgres-citus
	$(BIN)/ruff format --check pyhce tests tools bench postgres-citus
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/sqlfluff lint --disable-progress-bar postgres-citus/init

docs: $(VENV)/developed ## Build the documentation site in site/ (starts with site/index.html)
	$(BIN)/python tools/make_command_reference.py docs/commands.md
	$(BIN)/zensical build --clean --strict

generate: $(VENV)/installed ## Write the files that are generated from the declaration
	$(BIN)/pyhce generate sql
	$(BIN)/pyhce generate docs
	$(BIN)/pyhce generate values --patients 1000 --platform kind --to values/kind.yaml
	$(BIN)/pyhce generate values --patients 2000 --platform minikube --to values/minikube.yaml
	$(BIN)/pyhce generate values --patients 5000000 --platform production --to values/production.yaml
	@if [ -x .tools/bin/helm-docs ]; then .tools/bin/helm-docs --chart-search-root charts --sort-values-order file; \
	else echo "charts/hce-citus/README.md is unchanged: helm-docs is missing; make tools installs it"; fi

bench-load: $(VENV)/developed ## Compare the load of new and unchanged resources with psql's \copy, on each engine; DATA=FOLDER of NDJSON, else Synthea data
	$(BIN)/python -m bench.load $(DATA) --json bench/figures

bench-save: $(VENV)/developed ## Compare a save with its history with a bare INSERT, on each engine
	$(BIN)/python -m bench.save

bench-export: $(VENV)/developed ## Compare an export with psql's \copy … to, on each engine; DATA as for bench-load
	$(BIN)/python -m bench.export $(DATA) --json bench/figures

bench-chart: $(VENV)/developed ## Draw the results of bench-load and bench-export into docs/benchmarks.png
	$(BIN)/pip install --quiet '.[bench]'
	$(BIN)/python -m bench.chart bench/figures docs/benchmarks.png

dist: ## Build the wheel, the source archive and an SBOM (CycloneDX) of what the wheel installs, into dist
	rm -rf dist $(VENV)-release $(VENV)-installed
	$(PYTHON) -m venv $(VENV)-release
	$(VENV)-release/bin/pip install --quiet 'build>=1.3,<2' 'cyclonedx-bom>=7.2,<8'
	$(VENV)-release/bin/python -m build --outdir dist .
	$(PYTHON) -m venv --without-pip $(VENV)-installed
	$(VENV)-release/bin/pip --python $(VENV)-installed/bin/python install --quiet "$$(echo dist/*.whl)[local,strict,k8s]"
	sed "s/^dynamic = .*/version = \"$$($(VENV)-installed/bin/python -c 'import pyhce; print(pyhce.__version__)')\"/" \
		pyproject.toml > $(VENV)-release/pyproject.toml
	$(VENV)-release/bin/cyclonedx-py environment $(VENV)-installed/bin/python --pyproject $(VENV)-release/pyproject.toml \
		--output-file "dist/$$(basename dist/*.whl .whl).cdx.json"
	rm -rf $(VENV)-release $(VENV)-installed

tools: ## Build helm 3 and 4, kind, helm-docs and actionlint in their pinned versions into .tools/bin (needs Go)
	$(PYTHON) tools/install_tools.py

clean: ## Remove the virtual environment, caches, coverage reports and dist; the database stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* coverage.xml htmlcov dist
