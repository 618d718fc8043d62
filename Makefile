# `make` prints this help. Everything a fresh machine needs is set up by `make run` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test unit lint check e2e frameworks bench migrate format lock web clean

help: ## Print this help
	@grep -hE '^[a-z0-9_-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.runtime web ## Start the desk on http://127.0.0.1:8000 (no key, no Docker, no GPU needed)
	@$(BIN)/outcry serve $(ARGS)

test: $(VENV)/.dev web ## All tests that need no GPU and no Docker
	$(BIN)/pytest -m "not e2e and not benchmark" -n 2 $(ARGS)

unit: $(VENV)/.dev ## Fast tests: no services
	$(BIN)/pytest tests/unit tests/contracts tests/architecture -m "not slow" -n 2 $(ARGS)

e2e: $(VENV)/.dev web ## Tests in a real browser (Debian's chromium, or OUTCRY_CHROMIUM)
	$(BIN)/pytest -m e2e tests/e2e $(ARGS)

lint: $(VENV)/.dev ## Format, style, types and architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests
	$(BIN)/lint-imports
	$(BIN)/codespell

check: lint unit ## lint and unit

frameworks: $(VENV)/.dev ## Tests on TensorFlow, transformers, Ray, DVC, Feast and six inference servers, each in its own environment (6 GB)
	$(BIN)/python -m tests.environments.run tensorflow
	$(BIN)/python -m tests.environments.run transformers
	$(BIN)/python -m tests.environments.run ray
	$(BIN)/python -m tests.environments.run dvc
	$(BIN)/python -m tests.environments.run feast
	$(BIN)/python -m tests.environments.remote_servers test

bench: $(VENV)/.dev web ## Measure the goals of docs/performance.md on this machine
	$(BIN)/python -m tests.benchmarks.run $(ARGS)

migrate: $(VENV)/.runtime ## Bring the database schema up to date
	@$(BIN)/outcry migrate

format: $(VENV)/.dev ## Rewrite the code in house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev ## Resolve the dependencies anew into requirements/*.lock
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --group build -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" pyproject.toml --group build --group dev -o requirements/dev.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --group node -o requirements/node.lock

web: $(VENV)/.runtime ## Build the web client, if its sources changed
	@$(BIN)/python app/web/build.py

clean: ## Remove everything that was installed or built; keeps .outcry (your data)
	rm -rf $(VENV) app/web/dist app/web/node_modules .mypy_cache .ruff_cache .pytest_cache

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml
	@echo "Installing Outcry into $(VENV) (about a minute, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --require-hashes -r requirements/runtime.lock
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	@echo "Installing the development tools ..."
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.lock
	@touch $@
