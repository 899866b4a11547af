# One command each, the same on a desk and in CI. `make` alone lists them.

# the first of these that is new enough; PYTHON=/path/to/python overrides
PYTHON := $(or $(PYTHON),$(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done))
ENVIRONMENT = $(if $(PYTHON),@$(PYTHON) tools/environment.py,$(error Python 3.11 or newer is needed and none was found: install one, or say PYTHON=/path/to/it))
BIN := .venv/bin
KAFKA := 4.4.0

.DEFAULT_GOAL := help
.PHONY: help run install test test-unit test-integration test-model test-e2e bench bench-quick chaos chaos-short fuzz fuzz-short check format lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## install what is missing and start everything: broker, worker, mailbox (TORCH_BACKEND=cpu: the small torch)
	$(ENVIRONMENT) run
	@$(BIN)/streamapp up

install: ## only the environment in .venv, with all that tests need
	$(ENVIRONMENT) test

test: check test-unit test-integration test-model test-e2e bench-quick chaos-short ## everything that CI runs

test-unit: install ## fast, without sockets
	$(BIN)/python -m pytest tests/unit --disable-socket --allow-unix-socket

test-integration: install ## on real brokers, three files at a time: most of them wait for sessions to end
	$(BIN)/python -m pytest tests/integration -n 3 --dist loadfile

test-model: install ## the built-in model against sentence-transformers, and the quality of its summaries
	$(BIN)/python -m pytest tests/model

test-e2e: install ## a whole book, from the request to the e-mail
	$(BIN)/python -m pytest tests/e2e

bench: install ## measure everything against the bare model and the pipeline before; hours (ROWS=1,1b RUNS=5)
	$(BIN)/python -m benchmarks --rows "$(ROWS)" --runs $(or $(RUNS),5)

bench-quick: install ## that the benchmark runs, with tiny sizes
	$(BIN)/python -m benchmarks --quick --runs 1

chaos: install ## kill everything, again and again, and see what is lost (ROUNDS=10, SEED=; PLANT=a bug that must be found)
	$(BIN)/python -m chaos $(if $(PLANT),--plant $(PLANT),--rounds $(or $(ROUNDS),10)) $(if $(SEED),--seed $(SEED)) --results build/chaos$(if $(PLANT),-$(PLANT)).md

chaos-short: install ## one directed round of that, a few minutes
	$(BIN)/python -m chaos --short $(if $(SEED),--seed $(SEED)) --results build/chaos-short.md

fuzz: install ## 100,000 requests that nobody would send on purpose (REQUESTS=, SEED=; PLANT=a bug that must be found)
	$(BIN)/python -m fuzz --requests $(or $(REQUESTS),100000) $(if $(SEED),--seed $(SEED)) $(if $(PLANT),--plant $(PLANT)) --results build/fuzz$(if $(PLANT),-$(PLANT)).md

fuzz-short: install ## 2,000 of them, two minutes; test-integration has the same
	$(BIN)/python -m fuzz --requests 2000 $(if $(SEED),--seed $(SEED)) --results build/fuzz-short.md

check: install ## format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## resolve the requirements and Kafka's jars anew, with hashes
	$(BIN)/python tools/lock.py
	$(BIN)/python tools/lock_kafka.py $(KAFKA)

clean: ## remove what was built; the state in var stays
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find streamapp tests tools benchmarks chaos fuzz -name __pycache__ -type d -prune -exec rm -rf {} +
