# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# insightface asks for opencv-python, which would overwrite the headless build: see docs/dependencies.md
INSIGHTFACE := insightface==2.1

# test files are shared out among so many processes; many tests wait for cameras, servers and clocks
TEST_WORKERS ?= 2

.PHONY: install demo test test-parts check bench faults clean schemas

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "installing into $(VENV): some minutes the first time"; if command -v uv >/dev/null 2>&1; then \
	  echo "installing with uv" && uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) \
	  && uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[calibrate,insightface,s3,dev]' \
	  && uv pip install --quiet --python $(BIN)/python --no-deps $(INSIGHTFACE); \
	else \
	  echo "installing with pip" && $(PYTHON) -m venv $(VENV) \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[calibrate,insightface,s3,dev]' \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(INSIGHTFACE); \
	fi
	@touch $@

demo: install
	$(BIN)/renzheng demo

test: install test-parts
	$(BIN)/renzheng models fetch opencv-zoo
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

# what a machine may lack for the tests; without root and apt those tests skip and say so
test-parts:
	@sh tests/install-parts.sh

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.translations

bench: install
	$(BIN)/python -m benchmarks

# kills, cuts, server faults and full disks against one agent; about 20 minutes
faults: install
	$(BIN)/python -m tests.faults $(FAULTS_ARGS)

schemas: install
	$(BIN)/python -m renzheng.contracts.schemas docs/contracts

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
