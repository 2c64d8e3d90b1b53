.PHONY: demo test busy accuracy check fast without-lab coverage lint dist lab bench fidelity fuzz docs lock
PYTHON := .venv/bin/python
FAST := "not lab and not thorough"
# else each of the tests' many starts of netdoctor would compile it again
unexport PYTHONDONTWRITEBYTECODE
ifdef ALL  # every fault is repaired and undone, not a third of them
export NETDOCTOR_TEST_ALL := 1
endif

demo: .venv/ready ## the main job, before your eyes, on the embedded lab
	@scripts/demo

test: .venv/ready ## everything (ALL=1: every repair too); the lab's part is skipped with its reason where it cannot be built
	@scripts/programs
	@! tests/lab/lab require >/dev/null 2>&1 || tests/lab/lab build
	@$(PYTHON) -m pytest -q -n 3 --no-loadscope-reorder -m lab  # on three labs: most of it is waiting
	@$(PYTHON) -m pytest -q -n 6 --dist worksteal -m "not lab"
	@$(PYTHON) scripts/fuzz --seconds 60

busy: .venv/ready ## every fault named while four busy loops for each processor run beside it
	@NETDOCTOR_TEST_BUSY=4 $(PYTHON) -m pytest -q tests/test_faults.py

accuracy: .venv/ready ## write docs/accuracy.md: every fault named, repaired and undone on three labs, 40 minutes
	@rm -f .accuracy.jsonl
	@NETDOCTOR_ACCURACY=$(CURDIR)/.accuracy.jsonl NETDOCTOR_TEST_ALL=1 $(PYTHON) -m pytest -q -n 3 --no-loadscope-reorder -m lab tests/test_faults.py tests/test_pairs.py
	@$(PYTHON) scripts/accuracy.py .accuracy.jsonl

check: lint fast ## lint, and the fast tests

fast: .venv/ready ## the fast tests, a minute and a half on two processors
	@$(PYTHON) -m pytest -q -n 3 --dist worksteal -m $(FAST)

without-lab: .venv/ready ## every test that needs no lab
	@$(PYTHON) -m pytest -q -n 4 --dist worksteal -m "not lab"

coverage: .venv/ready ## which lines the tests without a lab run; fails below the floor in pyproject.toml
	@rm -rf .coverage && mkdir -m 1777 .coverage  # tests run as nobody, too
	@$(PYTHON) -m coverage run -m pytest -q -n 4 --dist worksteal -m "not lab"
	@$(PYTHON) -m coverage combine -q && $(PYTHON) -m coverage report

dist: .venv/ready ## wheel, sdist, SBOM and checksums into dist/ (TAG=v1.2.3: only if that is the version)
	@$(PYTHON) scripts/dist.py $(if $(TAG),--tag "$(TAG)")

lint: .venv/ready ## ruff, mypy strict, the rooms of the house
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports --no-cache

lab: ## build the lab, a real Kubernetes node to break (once; 20 minutes at most)
	@tests/lab/lab build

bench: .venv/ready ## print the figures of the budgets
	@$(PYTHON) scripts/bench.py

fidelity: .venv/ready ## how far the twin can be trusted: every state of tests/faults on two labs, half an hour
	@$(PYTHON) scripts/fidelity
	@$(PYTHON) scripts/bench_twin.py

fuzz: .venv/ready ## odd input for everything that reads foreign text, for HOURS (1); what fails is kept as a test
	@$(PYTHON) scripts/fuzz --seconds $$(( $(or $(HOURS),1) * 3600 )) $(if $(SEED),--seed $(SEED))

docs: .venv/ready ## write the generated pages of docs/, and docs/ as a site to site/ (the first time it needs the network)
	@$(PYTHON) scripts/docs.py
	@$(PYTHON) scripts/build_site.py

lock: ## write requirements/*.txt, the versions with their hashes, from constraints.txt (needs the network)
	@scripts/lock

.venv/ready: pyproject.toml requirements/dev.txt scripts/venv
	@scripts/venv
