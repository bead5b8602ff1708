# Everything on a fresh machine with Python 3.11 or newer, pip and make: `make demo`, `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test coverage mutation lint docs bench clean

help:
	@echo "make demo    train on the sample data of this repository, print its scores and two predictions"
	@echo "make test    run the tests"
	@echo "make coverage  run the tests and show which lines they do not reach"
	@echo "make mutation  change the code in small ways and show which changes no test notices (hours)"
	@echo "make lint    ruff, mypy and import-linter"
	@echo "make docs    build the documentation into site/"
	@echo "make bench   run the benchmarks of docs/benchmarks.md (needs the SemEval-2014 data, see there)"

$(VENV)/.base: pyproject.toml constraints.txt
	@echo "creating $(VENV) (once; PyTorch is a large download)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.base
	@$(PIP) -e ".[test,docs]"
	@touch $@

$(VENV)/.mutation: $(VENV)/.base
	@$(PIP) -e ".[mutation]"
	@touch $@

$(VENV)/.lint: $(VENV)/.base
	@$(PIP) -e ".[lint]"
	@touch $@

demo: $(VENV)/.base
	@rm -rf runs/demo
	@echo '$$ mtl run absa-sample --out runs/demo'
	@$(BIN)/mtl run absa-sample --out runs/demo
	@echo
	@echo "The predicted polarity of each aspect, for sentences that mention it:"
	@echo '$$ mtl predict runs/demo "The sushi was delicious." "Our waiter was rude." --attention'
	@$(BIN)/mtl predict runs/demo "The sushi was delicious." "Our waiter was rude." --attention

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist worksteal

coverage: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term

mutation: $(VENV)/.mutation
	nice -n 19 $(BIN)/python -m benchmarks mutation

lint: $(VENV)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.test
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
