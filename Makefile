# One environment in two steps, each made once and again whenever the pinned versions move. READY: what constraints.txt
# pins, that alone and each file by its hash, the build backend among it; then syncd itself, which has no hash, with
# nothing left to fetch. STAMP: the tools of development too, in the versions of constraints-dev.txt, which are the same
# where both pin one. `pip check` in `lint` sees whether anything is missing. FLEET: what speaks to PostgreSQL, which is
# among the tools of development as well.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STAMP := $(VENV)/.installed
FLEET := $(VENV)/.fleet
INSTALL := $(BIN)/python -m pip install --quiet --no-deps --require-hashes --only-binary :all:
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start the executable hundreds of times: without compiled modules each start takes a second more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo fleet-demo test chaos bench bench-million bench-fleet lint format clean constraints audit-deps dist man deb packages package-test boot-test

$(READY): pyproject.toml constraints.txt syncd/__init__.py
	@echo "syncd: making $(VENV), and installing into it the $$(grep -c == constraints.txt) packages that it runs with" \
	  "(once; half a minute or so)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r constraints.txt
	@$(BIN)/python -m pip install --quiet --quiet --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(STAMP): $(READY) constraints-dev.txt
	@echo "syncd: installing the tools that test and build it (once; a minute or so)"
	@$(INSTALL) -r constraints-dev.txt
	@touch $@

$(FLEET): $(READY) constraints-fleet.txt
	@$(INSTALL) -r constraints-fleet.txt
	@touch $@

# Writes both files of pins anew from pyproject.toml. Versions stay as they are unless pyproject.toml asks for others,
# or UPGRADE names packages ("requests aiohttp") or "all".
UPGRADE ?=
PIN = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make constraints' \
	$(if $(filter all,$(UPGRADE)),--upgrade,$(UPGRADE:%=--upgrade-package=%)) pyproject.toml -
BUILD_REQUIRES = $(BIN)/python -c 'import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
constraints: $(STAMP)
	$(BUILD_REQUIRES) | $(PIN) -o constraints.txt
	$(BUILD_REQUIRES) | $(PIN) --extra fleet -c constraints.txt -o constraints-fleet.txt
	$(BUILD_REQUIRES) | $(PIN) --extra dev -c constraints.txt -o constraints-dev.txt

# Asks for known vulnerabilities of every pinned version. Needs a network: where nobody answers it fails and says so.
audit-deps: $(STAMP)
	$(BIN)/python -m supply_chain.advisories $(if $(OSV),--osv-url $(OSV))

# The sdist, and the wheel that it makes.
dist: $(STAMP)
	rm -rf build dist
	$(BIN)/python -m build --no-isolation
	rm -rf *.egg-info

# The manual pages, from the commands.
MAN := build/man
man: $(READY)
	$(BIN)/python -m distribution.manual $(MAN)

# The Debian package of /opt/syncd with Debian's own Python, for the release and the architecture of this machine; and
# the one that adds what a worker of a fleet needs.
deb: dist
	$(BIN)/python -m distribution.deb dist/*.whl dist
	$(BIN)/python -m distribution.fleet_deb dist/*.whl dist

# Everything that is given away, with what is in it (CycloneDX) and its checksums.
packages: deb
	$(BIN)/python -m distribution.sbom dist/syncd.cdx.json dist/syncd-fleet.cdx.json
	cd dist && rm -f SHA256SUMS && sha256sum * > SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS

# Installs, uses, upgrades and purges each of them on clean roots made from Debian's packages. As root, with debootstrap.
package-test: packages
	$(BIN)/python -m distribution.trial dist

# Boots a machine with the Debian package in it, by software emulation, and looks at the service under its systemd:
# half an hour. As root, with debootstrap, e2fsprogs and qemu-system-x86.
boot-test: deb
	$(BIN)/python -m distribution.boot dist

demo: $(READY)
	@echo "syncd: the demo begins: an Okta org and a Split organisation on this machine, and the daemon's engine between them"
	@$(BIN)/syncd demo

# Three workers on one PostgreSQL (Debian's; it needs no root and no setting up), of which one is killed and one frozen.
fleet-demo: $(FLEET)
	@echo "syncd: the demo of a fleet begins: a PostgreSQL, 30 orgs and as many Split organisations on this machine"
	@$(BIN)/python -m syncd.demo.fleet

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check
	$(BIN)/pip-licenses >/dev/null

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

# Two for each processor: a daemon that waits for its next turn leaves the processor to another test.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
# So many tests at most are run once more, alone, after they failed beside others.
ONCE_MORE ?= 0
test: lint $(SCIMMY)/node_modules/.package-lock.json $(JACKSON)/node_modules/.package-lock.json $(BROWSER)/node_modules/.package-lock.json
	$(BIN)/pytest -n $(WORKERS) --dist worksteal || \
	  { [ $$? -eq 1 ] && $(BIN)/python -m tests.once_more $(ONCE_MORE); }

# Hours of mishaps: random worlds, faults and deaths, every cell of the fault matrix, 200 kills; and foreign bytes for
# everything that reads some, FUZZ_SECONDS each. Prints its seeds.
CHAOS_EXAMPLES ?= 1000
FUZZ_SECONDS ?= 60
chaos: $(STAMP)
	CHAOS_EXAMPLES=$(CHAOS_EXAMPLES) FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) \
	  $(BIN)/pytest tests/chaos tests/fuzz -n 2 --dist worksteal -s

# Ratios against bare loops over the same libraries, on local servers: 40 minutes. Writes bench/*.json, the pictures beside
# them, and the tables of docs/performance.md.
bench: $(STAMP)
	$(BIN)/python -m bench

bench-million: $(STAMP)
	$(BIN)/python -m bench --million

# A store on PostgreSQL against the same one on SQLite at 100,000 users, in turns: needs a server's binaries. Writes no file.
bench-fleet: $(STAMP)
	$(BIN)/python -m bench.fleet

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
