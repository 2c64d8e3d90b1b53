.PHONY: demo test check lab bench docs
PYTHON := .venv/bin/python

demo: .venv/ready ## the main job, before your eyes, on the embedded lab
	@scripts/demo

test: .venv/ready ## everything; what needs the lab is skipped with its reason where the lab cannot be built
	@! tests/lab/lab require >/dev/null 2>&1 || tests/lab/lab build
	@$(PYTHON) -m pytest -q -n 2 tests/test_faults.py  # on two labs: most of it is waiting for what does not answer
	@$(PYTHON) -m pytest -q --ignore=tests/test_faults.py

check: .venv/ready ## ruff, mypy strict, the fast tests
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && $(PYTHON) -m pytest -q -m "not lab"

lab: ## build the lab, a real Kubernetes node to break (once; 20 minutes at most)
	@tests/lab/lab build

bench: .venv/ready ## print the figures of the budgets
	@$(PYTHON) scripts/bench.py

docs: .venv/ready ## write the generated pages of docs/
	@$(PYTHON) scripts/docs.py

.venv/ready: pyproject.toml constraints.txt scripts/venv
	@scripts/venv
