# One environment, made once and again whenever the pinned versions move.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test chaos bench bench-million lint format clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/syncd demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# An independent SCIM server to test against; its tests skip, with the reason, where there is no Node.js.
SCIMMY := tests/interop/scimmy
$(SCIMMY)/node_modules/.package-lock.json: $(SCIMMY)/package-lock.json
	@if command -v npm >/dev/null; then cd $(SCIMMY) && npm ci --silent --no-audit --no-fund --ignore-scripts; fi

# Another one; likewise.
JACKSON := tests/interop/jackson
$(JACKSON)/node_modules/.package-lock.json: $(JACKSON)/package-lock.json
	@if command -v npm >/dev/null; then cd $(JACKSON) && npm ci --silent --no-audit --no-fund --ignore-scripts; fi

# axe-core, which judges the HTML pages in a browser; its tests skip where it or Chromium is missing.
BROWSER := tests/browser
$(BROWSER)/node_modules/.package-lock.json: $(BROWSER)/package-lock.json
	@if command -v npm >/dev/null; then cd $(BROWSER) && npm ci --silent --no-audit --no-fund --ignore-scripts; fi

test: lint $(SCIMMY)/node_modules/.package-lock.json $(JACKSON)/node_modules/.package-lock.json $(BROWSER)/node_modules/.package-lock.json
	$(BIN)/pytest -n 2 --dist worksteal

# Hours of mishaps: random worlds, faults and deaths, every cell of the fault matrix, 200 kills. Prints its seed.
CHAOS_EXAMPLES ?= 1000
chaos: $(STAMP)
	CHAOS_EXAMPLES=$(CHAOS_EXAMPLES) $(BIN)/pytest tests/chaos -n 2 --dist worksteal -s

# Ratios against bare loops over the same libraries, on local servers: 40 minutes. Writes bench/*.json, the pictures beside
# them, and the tables of docs/performance.md.
bench: $(STAMP)
	$(BIN)/python -m bench

bench-million: $(STAMP)
	$(BIN)/python -m bench --million

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
