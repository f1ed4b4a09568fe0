# Two commands do everything: `make demo` runs the main job, `make test` passes the tests.
# Both make the virtual environment .venv from pyproject.toml and constraints.txt first.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo-campaign
BIN := $(VENV)/bin
TORCH := $(shell grep -m1 '^torch==' constraints.txt)

.PHONY: demo test validate clean

demo: $(VENV)/installed
	test -f $(DEMO)/campaign.toml || $(BIN)/dynaphase new $(DEMO) --preset demo
	$(BIN)/dynaphase run $(DEMO)

test: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -m "not long"

validate: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m long

# torch first and by itself: a resolver that meets it as a dependency may prefer a build with GPU libraries.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "DynaPhase needs Python 3.11 or newer, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)" -c constraints.txt
	$(BIN)/python -m pip install --quiet -e . -c constraints.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -e ".[dev]" -c constraints.txt
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) build dist
