# Every target does its own set-up, once: Python packages from the lock, Java, Delta's jars. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test fuzz fuzz-proofs faults cluster check commands croissant airflow docs notebook readers bench bench-stages bench-parts bench-duplicates bench-evidence dist lock clean
BIN := .venv/bin
INSTALLED := .venv/.installed
READY := .venv/.ready
BROWSER := .venv/.browser
DOCS := .venv-docs/bin
DOCUMENTED := .venv-docs/.installed
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

help:  ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## all the set-up, and nothing else

demo: $(READY)  ## a small UK world, three versions of a dataset, and a tour of them (in ./demo)
	@$(BIN)/corpus demo

test: $(READY) $(BROWSER)  ## all tests, in two processes; ARGS="-n 0 -k name" for some in one
	@$(BIN)/pytest -n 2 --dist loadfile --durations=15 --durations-min=5 $(ARGS)

fuzz: $(READY)  ## 2,000 random worlds judged by both paths; ARGS="--seed 7" for the same again
	@$(BIN)/python -m tests.random_worlds --worlds 2000 $(ARGS)

faults: $(READY)  ## builds under every fault: killed, damaged, full disks; ARGS="--only driver --kills 100", ARGS=--list
	@$(BIN)/python -m tests.faults $(ARGS)

cluster: $(READY)  ## the jobs on a master and two workers on this machine; ARGS="--keep" to use them, "--faults" for its faults
	@$(BIN)/python -m tests.cluster $(ARGS)

fuzz-proofs: $(INSTALLED)  ## 100,000 lies told to both verifiers of proofs; ARGS="--seed 7" for others
	@$(BIN)/python -m tests.lying_prover $(ARGS)

check: $(INSTALLED)  ## what needs no Spark: style, types, the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest tests/test_architecture.py

commands: $(INSTALLED)  ## docs/commands.md again, from the command line itself
	@$(BIN)/python tools/commands.py

croissant: $(READY)  ## a Croissant description against mlcroissant, which gets an environment of its own
	@[ -x .venv-croissant/bin/python ] || $(BIN)/uv venv --quiet .venv-croissant
	@$(BIN)/uv pip install --quiet --require-hashes --python .venv-croissant -r tools/croissant.lock
	@$(BIN)/pytest -n 0 -k croissant tests/test_exports.py

airflow: $(READY)  ## the example of a nightly build loaded by Airflow, in an environment of its own
	@[ -x .venv-airflow/bin/python ] || $(BIN)/uv venv --quiet .venv-airflow
	@$(BIN)/uv pip install --quiet --require-hashes --python .venv-airflow -r tools/airflow.lock
	@$(BIN)/pytest -n 0 -k airflow tests/test_operations.py

readers: $(READY)  ## exports read by datasets, streaming and PyTorch, in an environment of their own (Debian 12)
	@tools/setup.sh readers
	@$(BIN)/pytest -n 0 tests/test_readers.py

docs: $(DOCUMENTED)  ## the documentation as a site, in build/site; with the notebook's pictures after `make notebook`
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/mkdocs build --strict --quiet && echo "The site is in build/site: open build/site/index.html"

notebook: $(DOCUMENTED) demo  ## examples/tour.ipynb run from its first cell to its last, on the demo
	@PYTHONPATH=src:verifier/src $(DOCS)/python tools/notebook.py examples/tour.ipynb build/tour.ipynb

bench: $(READY)  ## a build's speed on one page, against DuckDB by hand; ARGS="--only duckdb --posts 100000 --runs 1" for less
	@$(BIN)/python bench/speed.py $(ARGS)

bench-stages: $(READY)  ## where a build's time goes, by query and stage; ARGS="--posts 100000" for less
	@$(BIN)/python bench/stages.py $(ARGS)

bench-parts: $(READY)  ## how long the other parts take, and against the others
	@for script in bench/reading.py bench/duplicates.py bench/evidence.py bench/export.py; do echo "== $$script" && $(BIN)/python "$$script" || exit 1; done

bench-duplicates: $(READY)  ## the search for duplicates alone, at full size; ARGS="--posts 50000" for less
	@$(BIN)/python bench/duplicates.py $(ARGS)

bench-evidence: $(READY)  ## what trees and leaves add to a build; ARGS="--posts 50000" for less
	@$(BIN)/python bench/evidence.py $(ARGS)

dist: $(INSTALLED)  ## what spark-submit takes to a cluster: dist/corpus.zip (--py-files), dist/corpus-deps.tar.gz (--archives)
	@$(BIN)/python tools/dist.py

lock: $(INSTALLED)  ## the locks again, from pyproject.toml
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) --extra dev pyproject.toml --output-file requirements-dev.lock
	@$(COMPILE) --group docs --output-file tools/docs.lock

clean:  ## delete what these targets made
	rm -rf .venv .venv-* .build dist build demo src/*.egg-info verifier/src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): requirements-dev.lock pyproject.toml verifier/pyproject.toml tools/setup.sh
	@tools/setup.sh packages
	@touch $@

$(DOCUMENTED): tools/docs.lock $(INSTALLED)
	@[ -x $(DOCS)/python ] || $(BIN)/uv venv --quiet .venv-docs
	@$(BIN)/uv pip sync --quiet --require-hashes --python .venv-docs tools/docs.lock
	@touch $@

$(READY): $(INSTALLED) conf/spark/local.conf
	@tools/setup.sh java
	@touch $@

$(BROWSER): $(INSTALLED)
	@tools/setup.sh browser
	@touch $@
