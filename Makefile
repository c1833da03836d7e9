# Everything is installed below .build and .venv, and nothing outside this folder.
PYTHON ?= python3.13
UV     := .build/uv/bin/uv
BIN    := .venv/bin

# Each tool has its own environment, because the tools pin versions of botocore that the project does not share.
TOOLS  := .build/sam/.installed .build/emulator/.installed .build/checkov/.installed .build/faults/.installed .build/audit/.installed
READY  := .venv/.installed $(TOOLS)

# The tests start hundreds of processes; if compiled files may not be kept, each process compiles all its imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test test-fast test-strict test-upgrade test-weeks check lint types rooms prose template lock requirements mysql sam-local sbom audit architecture pictures clean
.DELETE_ON_ERROR:

setup: $(READY)

demo: .venv/.installed .build/sam/.installed .build/emulator/.installed
	$(BIN)/optimizer demo $(if $(TRACES),--traces $(TRACES)) $(ARGS)

test: check
	$(BIN)/pytest --numprocesses 4 --dist loadscope --no-loadscope-reorder -m "not upgrade" $(ARGS)

# Deploys version 0.1.0 from the history into a local account, and this version over it. Takes about ten minutes.
test-upgrade: .venv/.installed .build/sam/.installed .build/emulator/.installed
	$(BIN)/pytest -m upgrade tests/e2e/test_upgrade.py $(ARGS)

# The inner loop runs without servers and deployments and tries a tenth of the generated examples.
test-fast: .venv/.installed
	TEST_FAST=true $(BIN)/pytest --quiet --numprocesses 2 --dist worksteal -m "not starts_servers and not slow" \
	  tests/unit tests/integration $(ARGS)

# Runs the rules and switches of the local account, and the end-to-end tests under each other setting of the switches.
test-strict: check
	$(BIN)/pytest --quiet -n0 tests/integration/local $(ARGS)
	$(BIN)/python -m tests.helpers.strict_matrix $(ARGS)

# Plays four weeks of the schedules for every pair of modes, responses, windows and freezes. Takes three to fifteen minutes.
test-weeks: .venv/.installed
	TEST_WEEKS=whole $(BIN)/pytest --quiet -n0 tests/integration/run/test_weeks.py \
	  tests/unit/guardrails/test_every_calendar.py $(ARGS)

check: lint types rooms prose template

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed
	$(BIN)/mypy

# Imports between rooms point down, and modules that decide import no SDK, driver or socket.
rooms: .venv/.installed
	$(BIN)/lint-imports

# Finds words that docs/terms.yaml replaces, in everything that people read.
prose: .venv/.installed
	$(BIN)/python local/prose_check.py

template: $(READY)
	AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0 .build/sam/bin/sam validate --lint
	.build/sam/bin/python local/expanded_template.py
	.build/checkov/bin/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download

# Rewrites the lock files with versions and hashes, and without addresses; the Lambdas get the tested versions.
lock: $(UV)
	for name in bootstrap dev sam emulator checkov faults audit runtime; do \
	  $(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate --python-version 3.13 \
	    requirements/$$name.in --output-file requirements/$$name.lock || exit 1; done
	$(MAKE) requirements

requirements: .venv/.installed
	$(BIN)/python -m locked_requirements

$(UV): requirements/bootstrap.lock
	$(PYTHON) -m venv --clear .build/uv
	.build/uv/bin/pip install --quiet --require-hashes --requirement $<

.venv/.installed: requirements/dev.lock pyproject.toml $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $<
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

.build/%/.installed: requirements/%.lock $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .build/$*
	$(UV) pip sync --quiet --python .build/$*/bin/python --require-hashes $<
	touch $@

# Installs Debian's MySQL into a file tree of its own, for the tests on MySQL. Needs root and debootstrap.
mysql: .build/mysql/.installed

.build/mysql/.installed:
	rm -rf --one-file-system .build/mysql
	mkdir -p .build/mysql
	debootstrap --variant=minbase --include=mysql-server-core sid $(CURDIR)/.build/mysql/root >.build/mysql/log 2>&1 || \
	  { tail -n 3 .build/mysql/log; exit 1; }
	rm -rf .build/mysql/root/var/cache/apt/archives
	touch $@

# Invokes every function with its event in a container. Needs root and the packages that docs/development.md names.
sam-local: .venv/.installed .build/sam/.installed .build/emulator/.installed
	$(BIN)/python -m local_account.sam_local

# Writes a bill of materials (CycloneDX) for the layer and each function into .artifacts/sbom.
sbom: .venv/.installed
	$(BIN)/python -m sbom

# Asks for known vulnerabilities of everything in the locks. Needs a network; fails if something could not be asked for.
audit: .venv/.installed .build/audit/.installed
	$(BIN)/python -m audit

# Draws docs/architecture.svg again; a test fails if the file differs from the drawing.
architecture: .venv/.installed
	$(BIN)/python -m architecture_picture

# Takes the pictures of the README again, from sample data. Needs Debian's chromium.
pictures: .venv/.installed
	$(BIN)/python -m tests.helpers.readme_pictures

clean:
	rm -rf --one-file-system .venv .build .aws-sam .demo .artifacts
