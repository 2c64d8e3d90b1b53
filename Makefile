.PHONY: demo test check lint lab bench fidelity fuzz docs
PYTHON := .venv/bin/python
# else each of the tests' many starts of netdoctor would compile it anew
unexport PYTHONDONTWRITEBYTECODE

demo: .venv/ready ## the main job, before your eyes, on the embedded lab
	@scripts/demo

test: .venv/ready ## everything; what needs the lab is skipped with its reason where the lab cannot be built
	@scripts/programs
	@! tests/lab/lab require >/dev/null 2>&1 || tests/lab/lab build
	@$(PYTHON) -m pytest -q -n 3 tests/test_faults.py  # on three labs: most of it is waiting for what does not answer
	@$(PYTHON) -m pytest -q -n 6 --dist worksteal -m "not lab"
	@$(PYTHON) -m pytest -q -n 2 --dist loadfile -m lab --ignore=tests/test_faults.py --no-loadscope-reorder  # the longest files have one test

check: lint ## ruff, mypy strict, the fast tests
	@$(PYTHON) -m pytest -q -n 6 --dist worksteal -m "not lab"

lint: .venv/ready ## ruff, mypy strict
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

lab: ## build the lab, a real Kubernetes node to break (once; 20 minutes at most)
	@tests/lab/lab build

bench: .venv/ready ## print the figures of the budgets
	@$(PYTHON) scripts/bench.py

fidelity: .venv/ready ## how far the twin can be trusted: every state of tests/faults on two labs, half an hour
	@$(PYTHON) scripts/fidelity
	@$(PYTHON) scripts/bench_twin.py

fuzz: .venv/ready ## odd input for everything that reads foreign text, for HOURS (1); what fails is kept as a test
	@$(PYTHON) scripts/fuzz --seconds $$(( $(or $(HOURS),1) * 3600 )) $(if $(SEED),--seed $(SEED))

docs: .venv/ready ## write the generated pages of docs/
	@$(PYTHON) scripts/docs.py

.venv/ready: pyproject.toml constraints.txt scripts/venv
	@scripts/venv
