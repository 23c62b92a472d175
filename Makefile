# zeroth: `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
ONLY ?=

.PHONY: help iso lint check test lab run bench reproducible docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is newer than everything that decides what the environment holds.
.venv/ready: requirements/dev.lock pyproject.toml tools/bootstrap
	@tools/bootstrap

iso: .venv/ready ## Build dist/zeroth.iso from Debian packages
	@$(PYTHON) -m zeroth image build

lint: .venv/ready ## Lint and types
	@$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check . && $(PYTHON) -m mypy

check: lint ## Lint, types, unit tests but the thorough ones (under two minutes)
	@$(PYTHON) -m pytest -m "not thorough"

test: lint ## Every unit test, then the main paths in real boots (under 50 minutes)
	@$(PYTHON) -m pytest
	@$(PYTHON) -m tests.lab main

lab: .venv/ready ## Every scenario, or one: make lab ONLY=name
	@$(PYTHON) -m tests.lab run $(ONLY)

run: .venv/ready ## Boot an installed host: web, ssh and serial in front of you
	@$(PYTHON) -m tests.lab host

bench: .venv/ready ## Print build, install and boot figures as ratios
	@$(PYTHON) -m tests.bench

reproducible: .venv/ready ## Build twice under different circumstances: the same ISO?
	@$(PYTHON) -m tests.reproducible

docs: .venv/ready ## Write the generated pages of docs/reference again
	@$(PYTHON) -m tools.reference

lock: .venv/ready ## Resolve requirements/dev.in into dev.lock again
	@$(PYTHON) -m pip install -q pip-tools && .venv/bin/pip-compile -q --generate-hashes --allow-unsafe --strip-extras \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --no-header \
	  -o requirements/dev.lock requirements/dev.in

clean: ## Remove everything that was built (the download cache too)
	rm -rf .venv .cache dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
