# The one entry point. The README says which two commands a newcomer needs: `make run` and `make test`.
# Recipes use relative paths in quotes: the checkout may lie under a path with spaces.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# How many processes share the tests.
JOBS ?= 2
VENV_PYTHON = .venv/bin/python
# For tools that load the settings without ever connecting.
OFFLINE = EMBEDDED_SERVERS=off

export PYTHONUTF8 = 1

.DEFAULT_GOAL := help
.PHONY: help setup run test unit e2e browser check lint format types imports migrations messages check-messages static \
	bench-plan bench-screens backup restore clean

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; done

setup: ## Prepare .venv with the pinned requirements (quick when nothing has changed)
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) is not installed; dealercrm needs Python 3.11 or newer." >&2; exit 1; }
	@"$(PYTHON)" tools/bootstrap.py
	@$(VENV_PYTHON) tools/messages.py --compile

run: setup ## Set everything up and serve the site with web, worker and beat; Ctrl-C stops all of it
	@exec $(VENV_PYTHON) -m dealercrm.serve --host "$(HOST)" --port "$(PORT)"

test: unit e2e ## Every test: first the quick ones, then those in a real browser

unit: setup
	$(VENV_PYTHON) -m pytest -q -n $(JOBS) -m "not e2e"

browser: setup
	@$(VENV_PYTHON) tools/chromium.py

e2e: browser ## The tests in a real browser alone
	$(VENV_PYTHON) -m pytest -q -m e2e

check: lint types imports migrations check-messages static test ## Everything that CI checks, in its order

lint: setup ## Style of code and templates
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m djlint templates --lint --quiet
	$(VENV_PYTHON) -m djlint templates --check --quiet

format: setup ## Bring code and templates into style
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .
	$(VENV_PYTHON) -m djlint templates --reformat --quiet

types: setup ## Type check
	$(OFFLINE) $(VENV_PYTHON) -m mypy

imports: setup ## Import contracts (.importlinter)
	$(VENV_PYTHON) tools/imports.py

migrations: setup ## The migrations match the models
	$(VENV_PYTHON) manage.py makemigrations --check --dry-run

messages: setup ## Bring the translations up to the code and compile them
	$(VENV_PYTHON) tools/messages.py

check-messages: setup ## Every text is translated
	$(VENV_PYTHON) tools/messages.py --check

static: setup ## The static files fit together under the production storage
	@directory="$$(mktemp -d)" && trap 'rm -rf "$$directory"' EXIT && \
		STATIC_ROOT="$$directory" $(OFFLINE) $(VENV_PYTHON) manage.py collectstatic --noinput

bench-plan: setup ## The nightly planner against hand-written SQL (takes long; see bench/RESULTS.md)
	$(VENV_PYTHON) -m bench.plan

bench-screens: setup ## What staff wait for at a million customers (takes long; see bench/RESULTS.md)
	$(VENV_PYTHON) -m bench.screens

backup: setup ## Write the embedded database into var/backup/
	@$(VENV_PYTHON) tools/backup.py backup

restore: setup ## Replace the embedded database: make restore FILE=var/backup/….dump
	@$(VENV_PYTHON) tools/backup.py restore "$(FILE)"

clean: ## Remove what the tools leave behind; the data under var/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis var/static var/log test-results
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
	find locale -name '*.mo' -delete
