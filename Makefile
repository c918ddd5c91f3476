# Two commands do all the set-up: `make demo` shows the main job, `make test` passes the tests.
PYTHON ?= python3
DEMO_PORT ?= 48080
# Processes: the tests wait much of their time, so more than two cores have.
TESTERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
COMPILE := uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11

.PHONY: help demo test browser golden-update check format lock clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: $(VENV)/.runtime  ## crawl a small fake newspaper into the embedded PostgreSQL and show what was stored
	@$(BIN)/python -m tests.demo --port $(DEMO_PORT)

test: $(VENV)/.development  ## all tests
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

browser: $(VENV)/.browser  ## what `render: true` needs: Playwright and, as root on Debian, Chromium
	@for program in "$$CHROMIUM" chromium chromium-browser google-chrome; do \
		if [ -n "$$program" ] && command -v "$$program" > /dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "Installing Chromium (once) ..."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; \
	else \
		echo "There is no Chromium: apt-get install chromium, or set CHROMIUM to the path of one"; exit 1; \
	fi

golden-update: $(VENV)/.development  ## write what extraction makes of the golden pages; refuses what their truth forbids
	@$(BIN)/python -m tests.golden.update

check: $(VENV)/.development  ## format, lint, types, import contracts, seeds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m crawler.sources seeds

format: $(VENV)/.development  ## mend what a program can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.development  ## pin dependencies anew (needs uv on the PATH)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["browser"], sep="\n")' | \
		$(COMPILE) - -c requirements.lock -o requirements-browser.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["metrics"], sep="\n")' | \
		$(COMPILE) - -c requirements.lock -o requirements-metrics.lock
	$(COMPILE) pyproject.toml --extra browser --extra metrics --extra parquet --group dev -c requirements.lock -c requirements-browser.lock -o requirements-dev.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock | $(VENV)/bin/python
	@echo "Installing (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.browser: requirements-browser.lock $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.lock
	@touch $@

$(VENV)/.development: requirements-dev.lock | $(VENV)/bin/python
	@echo "Installing (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.runtime

clean:  ## remove what was installed and the demo's database
	rm -rf $(VENV) .data/demo
