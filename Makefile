# Everything runs from .venv; `make setup` builds it from the hashed lock files and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
INSTALL := $(PIP) install --require-hashes --no-deps
SELF := $(PIP) install --no-deps --no-build-isolation -e .

.PHONY: setup dev demo serve-demo test check bench soak az playground pictures docs lock clean

setup: $(VENV)/.runtime
dev: $(VENV)/.dev

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "setting up .venv (about a minute the first time)"
	$(INSTALL) -r requirements.lock
	$(SELF)
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "adding what the tests need"
	$(INSTALL) -r requirements-dev.lock
	@touch $@

demo: setup
	$(BIN)/backupbot demo

serve-demo: setup
	$(BIN)/backupbot demo --serve

test: dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev
	$(BIN)/python -m tests.bench

soak: dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m long
	$(BIN)/python -m tests.soak

docs: setup
	$(BIN)/backupbot docs

# An unmodified Azure CLI against the simulated cloud; a 700 MB installation of its own, so not part of the tests.
AZ ?= .az/bin/az
.az/bin/az: | $(VENV)/bin/python
	$(PYTHON) -m venv .az
	.az/bin/python -m pip install -q azure-cli
az: dev .az/bin/az
	$(BIN)/python -m tests.az $(AZ)

# Needs Node. Microsoft 365 Agents Playground is pre-release software for evaluation, fetched on request and never kept here.
playground: setup
	@command -v npm >/dev/null || { echo "playground: Node and npm are needed (https://nodejs.org)"; exit 1; }
	cd tools/playground && npm install --ignore-scripts --no-audit --no-fund --no-package-lock
	$(BIN)/python -m tools.playground

# Needs Node and Chromium (CHROMIUM=/path/to/it); draws the cards of the demo's story as Teams and the chat page do.
pictures: setup
	cd tools/pictures && npm install --legacy-peer-deps --ignore-scripts --no-audit --no-fund --no-package-lock
	$(BIN)/python -m tools.pictures tools/pictures/out
	cd tools/pictures && npx --no-install esbuild slack.jsx --bundle --minify --jsx=automatic --loader:.js=jsx --define:process.env.NODE_ENV='"production"' --outfile=out/slack.bundle.js --log-level=error
	cd tools/pictures && node render.mjs out
	mkdir -p docs/pictures && cp tools/pictures/out/*.png docs/pictures/

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 \
	  --extra build pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 \
	  --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage*
