# `make` shows what there is. Everything runs in .venv, made on first use from the pinned, hashed requirements.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
# Two shared cores: more workers only make each other slower.
WORKERS ?= 2
PYTEST := $(PY) -m pytest -q -n $(WORKERS)
CODE := webapp config.py wsgi.py

export PIP_DISABLE_PIP_VERSION_CHECK := 1
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run serve init test test-sqlite test-postgresql test-browser lint format bench size pins sbom evidence pictures vendor demo-data clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/installed ## Start the demo: address, e-mail and a password of this run are printed
	@$(PY) -m webapp.run_demo

serve: $(VENV)/installed ## Start the real installation (docs/operate.md; needs SECRET_KEY and `make init` once)
	@$(PY) -m webapp.serving

init: $(VENV)/installed ## Make the real installation's database (flask init-db)
	@$(VENV)/bin/flask --app wsgi init-db

test: lint test-sqlite test-browser test-postgresql ## Everything: lint, types, layers, the suite on both engines, Chromium

test-sqlite: $(VENV)/installed-dev ## The suite on SQLite
	@echo "== the suite on SQLite"
	@env -u TEST_DATABASE_URL $(PYTEST) -m "not browser"

test-postgresql: $(VENV)/installed-dev ## The suite on PostgreSQL, as the web role (TEST_DATABASE_URL, or a throwaway cluster)
	@echo "== the suite on PostgreSQL"
	@$(PYTEST) -m "not browser" --postgresql

test-browser: $(VENV)/installed-dev ## The tests that drive Chromium
	@echo "== in Chromium"
	@env -u TEST_DATABASE_URL $(PYTEST) -m browser

lint: $(VENV)/installed-dev ## ruff, mypy --strict, import-linter, bandit
	@$(VENV)/bin/ruff check -q .
	@$(VENV)/bin/ruff format --check -q .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(VENV)/bin/bandit -q -c pyproject.toml -r $(CODE)

format: $(VENV)/installed-dev ## Format the code as `make lint` wants it
	@$(VENV)/bin/ruff check -q --fix .
	@$(VENV)/bin/ruff format -q .

bench: $(VENV)/installed-dev ## Measure speed as ratios against the limit of this machine (minutes; never part of a test)
	@$(PY) -m bench

size: $(VENV)/installed ## Lines and longest functions by package, beside the limits
	@$(PY) scripts/size.py

pins: ## Resolve requirements*.in anew: every package exact, with its hashes
	@$(PYTHON) -m venv build/pins
	@build/pins/bin/pip install -q pip-tools
	@build/pins/bin/pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-find-links --no-emit-index-url --no-emit-trusted-host --output-file requirements.txt requirements.in
	@build/pins/bin/pip-compile -q --generate-hashes --allow-unsafe --strip-extras --no-emit-find-links --no-emit-index-url --no-emit-trusted-host --output-file requirements-dev.txt requirements-dev.in
	@$(MAKE) sbom

sbom: $(VENV)/installed ## Write docs/sbom.json: what an installation consists of
	@$(PY) scripts/write_sbom.py

evidence: $(VENV)/installed-dev ## Run the tests that the policies name as proof, and record what came of them
	@$(PY) scripts/run_evidence.py

pictures: $(VENV)/installed-dev ## Take the README's pictures in Chromium
	@$(PY) scripts/take_pictures.py

vendor: $(VENV)/installed ## Fetch the pinned script files of others (needs npm)
	@$(PY) scripts/fetch_vendor.py

demo-data: $(VENV)/installed ## Write the demo firm's call records to build/demo-data
	@$(PY) -m demo.write_call_records build/demo-data

clean: ## Remove what make and the tests leave; instance/ stays
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callbook needs Python 3.11 or newer: make run PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python requirements.txt
	@echo "Installing the pinned packages into $(VENV) ..."
	@$(PY) -m pip install -q --require-hashes -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	@echo "Installing what tests need into $(VENV) ..."
	@$(PY) -m pip install -q --require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $@
