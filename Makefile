# What a newcomer and a developer call. Everything else is in the command: .venv/bin/lifecycle --help
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=
# A test that runs servers and services may meet what else the machine does: it may fail once, and that is shown
# (docs/adr/0024-a-second-try.md). Tests without servers may not.
SECOND_TRY := --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks \
	--rerun-exclude-path tests/unit --rerun-exclude-path tests/contract
# A copy of the process for each core costs the unit tests less than xdist's workers do (tests/support/copies.py).
IN_COPIES := -p tests.support.copies -p no:xdist -p no:rerunfailures
.DEFAULT_GOAL := help
# Each test process and each service compiles every module anew where this is set: minutes of a whole run.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup demo test checks unit kills lint types mypy pyright arch bench docs clean

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: .venv with every package of the lock, and RabbitMQ and Postgres where we may.
	@$(PYTHON) deploy/setup.py

demo: setup ## Start everything with a simulated RMM, sync its devices, edit a date; ARGS=--exit ends by itself.
	@$(BIN)/lifecycle demo $(ARGS)

test: setup ## Run every check and every test, against a real RabbitMQ and a real Postgres.
	@failed=; $(MAKE) --no-print-directory --keep-going -j 2 checks || failed=" checks"; \
	$(BIN)/python -m pytest -n 4 --dist worksteal $(SECOND_TRY) $(PYTEST_ARGS) || failed="$$failed pytest"; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

checks: lint mypy pyright arch

unit: setup ## Run the tests that need neither broker nor database.
	$(BIN)/python -m pytest tests/unit $(IN_COPIES) --hypothesis-profile=brisk $(PYTEST_ARGS)

kills: setup ## Kill write-back, and the reader of dates, a hundred times each (some minutes).
	LIFECYCLE_TEST_KILLS=100 $(BIN)/python -m pytest tests/faults/test_writeback_kills.py \
		tests/faults/test_sweep_kills.py $(PYTEST_ARGS)

lint: setup ## Check style and format.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: mypy pyright ## Check types, by mypy and by pyright.

mypy: setup
	$(BIN)/mypy

pyright: setup
	$(BIN)/pyright

arch: setup ## Check which part may import which.
	$(BIN)/lint-imports

bench: setup ## Measure; ARGS are the benchmark's own.
	$(BIN)/python -m bench $(ARGS)

docs: setup ## Generate the parts of the documentation that come from the code.
	$(BIN)/python -m docs.generate $(ARGS)

clean: ## Stop the stack of this checkout and delete its data; .venv stays.
	-@test ! -x $(BIN)/lifecycle || $(BIN)/lifecycle down --purge
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
