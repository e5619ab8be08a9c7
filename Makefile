# Every target first sets up what it needs (.ci/setup), which takes no time when nothing is missing.
PYTHON := .venv/bin/python
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=XDG_CACHE_HOME --preserve-env=XDG_CONFIG_HOME)
PROTOS := appliance/api/accounts.proto appliance/api/agent.proto appliance/api/governance.proto appliance/api/jobs.proto appliance/api/machine.proto appliance/api/peer.proto

.DEFAULT_GOAL := help
.PHONY: help setup demo test systemd sanitize fuzz check bench protos diagrams schema image image-keys image-lock boot test-image test-image-start soak locks format clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install what a node needs, and build it
	@.ci/setup run

demo:  ## pair two nodes here and run a private intersection; EXIT=1 ends when it is done
	@.ci/setup demo
	@$(PYTHON) -m appliance.demo $(if $(EXIT),--exit)

test:  ## run every test, the repository's own checks first
	@.ci/setup test
	@mkdir -p build
	@$(PYTHON) -m pytest -n 2 --junitxml build/tests.xml

systemd:  ## run the node as a systemd service on a systemd of its own; as root or with sudo
	@.ci/setup systemd
	@mkdir -p build
	@$(if $(filter-out 0,$(shell id -u)),sudo) $(PYTHON) -m pytest --junitxml build/systemd.xml tests/systemd

sanitize:  ## run the kernels' tests on a build that checks addresses and undefined behaviour
	@.ci/setup test
	@.ci/sanitize

fuzz:  ## feed every reader of a peer's bytes with whatever a fuzzer finds, some seconds each
	@.ci/setup test
	@mkdir -p build
	@$(PYTHON) -m pytest -n 2 --junitxml build/fuzz.xml tests/fuzz

check:  ## run the repository's own checks and the unit tests
	@.ci/setup test
	@$(PYTHON) -m pytest -n 2 tests/repository tests/unit

bench:  ## run every benchmark quickly; `.venv/bin/python -m bench` says what there is
	@.ci/setup demo
	@$(PYTHON) -m bench all --quick

image:  ## make the appliance's disk image in image/out; as root or with sudo; PROFILES="qat fpga nvidia" adds drivers
	@.ci/setup image
	@$(AS_ROOT) $(PYTHON) -m image build $(if $(QUICK),--quick) $(addprefix --profile=,$(PROFILES))

image-keys:  ## make the development keys that images are signed with, outside the tree
	@.ci/setup image
	@$(AS_ROOT) $(PYTHON) -m image keys

image-lock:  ## choose the newest Debian packages for image and tools, and write image/lock.toml anew
	@.ci/setup image
	@$(PYTHON) -m image lock

boot:  ## run the disk image in QEMU, its console here (Ctrl-A X ends it); FRESH=1 forgets what it stored
	@$(AS_ROOT) $(PYTHON) -m image boot $(if $(FRESH),--fresh)

test-image:  ## start the disk image in virtual machines and attack them; takes hours; a failed machine's folder stays
	@.ci/setup image
	@mkdir -p build
	@$(AS_ROOT) $(PYTHON) -m pytest -o tmp_path_retention_policy=failed --junitxml build/image.xml tests/vm

# Every third cut, from the first on, is one of a first start: of 13 that is five.
test-image-start:  ## of that only what is in it, two starts, five first starts whose power is cut, the recovery in another machine and the smallest driver; about half an hour
	@.ci/setup image
	@mkdir -p build
	@$(AS_ROOT) $(PYTHON) -m pytest -o tmp_path_retention_policy=failed --junitxml build/start.xml --cuts 13 tests/vm/tree tests/vm/starts/test_first_start.py tests/vm/power/test_cut_first_starts.py tests/vm/starts/test_recovery.py tests/vm/starts/test_smallest_driver.py

protos:  ## write the gRPC code anew from the .proto files
	@.ci/setup test
	@$(PYTHON) -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

diagrams:  ## draw appliance/STATES.md anew from the tables of states
	@.ci/setup test
	@$(PYTHON) -m tests.repository.diagrams

schema:  ## write appliance/store/newest.sql anew from the migrations, and the JSON schema of policies
	@.ci/setup test
	@$(PYTHON) -m tests.repository.schema

locks:  ## write requirements*.txt anew from pyproject.toml
	@.ci/lock

format:  ## lay out the code as the checks want it
	@.ci/setup test
	@$(PYTHON) -m ruff check --fix --quiet . && $(PYTHON) -m ruff format --quiet .
	@.venv/bin/clang-format -i $(wildcard services/kernels/native/*.?pp)

soak:  ## cut a virtual machine's power 200 times, where test-image does it 5 times; takes days; CUTS=20 for fewer
	@.ci/setup image
	@mkdir -p build
	@$(AS_ROOT) $(PYTHON) -m pytest -o tmp_path_retention_policy=failed --junitxml build/soak.xml --cuts $(or $(CUTS),200) tests/vm/power

clean:  ## remove what was built and set up
	@rm -rf .venv build bench/.peers *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	@find services appliance bench image tests -name __pycache__ -prune -exec rm -rf {} +
