PYTHON ?= python3
BIN := .venv/bin
TESTS ?= tests

.PHONY: setup run demo test check format bench lock

setup: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	@echo "Setting up .venv from requirements.lock (about half a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Posthouse needs Python 3.11 or later: make PYTHON=python3.11 setup"; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup
	@$(BIN)/posthouse serve

demo: setup
	@$(BIN)/posthouse demo

test: setup
	$(BIN)/pytest -n 4 --dist loadfile $(TESTS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: setup .tools/.peers
	$(BIN)/python -m bench $(ARGS)

.tools/.peers: bench/unpack-peers bench/requirements.txt
	@bench/unpack-peers .tools
	@touch $@

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --group dev pyproject.toml -o requirements.lock
