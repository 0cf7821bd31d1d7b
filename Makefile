# Working on cloudmarker. Every target creates and fills .venv as it needs; only Python, make and git have to be there.
#
#   make audit      audit a sample tenant of Azure and of Google Cloud, served by the simulators on this machine
#   make test       run the tests              (make test ARGS="-k firewall")
#   make coverage   run the tests and write htmlcov/index.html
#   make lint       ruff, mypy, import-linter
#   make docs       build docs/_build/html; a warning is an error
#   make checks     test coverage lint docs
#   make reference  write the pages of docs/ that are generated from the code
#   make dist       build the wheel and the sdist of every distribution into dist/
#   make bench      run the benchmarks and write docs/benchmarks.md  (make bench ARGS="mock_audit")
#   make venv deps  create .venv; install everything that any target needs
#   make clean      remove what the other targets wrote; make rmvenv removes .venv

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet

PYPROJECTS := $(wildcard core/pyproject.toml simulators/pyproject.toml plugins/*/pyproject.toml examples/*/pyproject.toml)
DISTRIBUTIONS := $(PYPROJECTS:/pyproject.toml=)
SOURCES := $(DISTRIBUTIONS:%=%/src)

.DELETE_ON_ERROR:
.PHONY: audit test coverage lint docs checks reference dist bench venv deps clean rmvenv

# The two commands of the README.

audit: $(VENV)/.distributions
	mkdir -p -m 700 audit-output
	$(BIN)/cloudmarker-simulate exec -- $(BIN)/cloudmarker -n -c examples/audit.yaml

test: $(VENV)/.distributions $(VENV)/.elasticsearch9
	$(BIN)/python -m pytest -n 2 $(ARGS)

# Checks.

coverage: $(VENV)/.distributions $(VENV)/.elasticsearch9
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 $(ARGS)
	$(BIN)/coverage combine --quiet
	@rm -f .coverage.*  # half written, by processes that a test killed
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report

lint: $(VENV)/.lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict $(SOURCES) tools benchmarks
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

checks: test coverage lint docs

# Products.

reference: $(VENV)/.distributions
	$(BIN)/python tools/commandline.py docs/commandline.md
	$(BIN)/python tools/record_fields.py docs/records.md
	$(BIN)/python tools/azure_types.py docs/azure.md

# The wheel is built from the sdist, so that every dist also proves that the sdist is whole.
dist: $(VENV)/.dist
	rm -rf dist
	set -e; for folder in $(DISTRIBUTIONS); do $(BIN)/python -m build --no-isolation --outdir dist $$folder; done

bench: $(VENV)/.distributions
	$(BIN)/python benchmarks/run.py $(ARGS)

# The environment. A stamp file says when it was made; it is made again only when what it was made from has changed.

venv: $(VENV)/.created
deps: $(VENV)/.distributions $(VENV)/.elasticsearch9 $(VENV)/.lint $(VENV)/.docs $(VENV)/.dist

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed, $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.distributions: $(PYPROJECTS) VERSION tools/test.txt | $(VENV)/.created
	$(PIP_INSTALL) $(DISTRIBUTIONS:%=-e './%[test]') -r tools/test.txt
	@touch $@

# The other client that EsStore works with, beside the environment: its tests run with both.
$(VENV)/.elasticsearch9: plugins/cloudmarker-stores/pyproject.toml | $(VENV)/.created
	rm -rf $(VENV)/elasticsearch9
	$(PIP_INSTALL) --target $(VENV)/elasticsearch9 'elasticsearch>=9,<10'
	@touch $@

$(VENV)/.lint: tools/lint.txt $(VENV)/.distributions
	$(PIP_INSTALL) -r $<
	@touch $@

$(VENV)/.docs: tools/docs.txt $(VENV)/.distributions
	$(PIP_INSTALL) -r $<
	@touch $@

$(VENV)/.dist: tools/dist.txt | $(VENV)/.created
	$(PIP_INSTALL) -r $<
	@touch $@

clean:
	rm -rf dist docs/_build htmlcov audit-output .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .tox
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +

rmvenv:
	rm -rf $(VENV) benchmarks/.venv-*
