# Everything a person or a machine runs here. Needs Python 3.11 or later, make and pip; `make help` lists the targets.

VENV = .venv
BIN = $(VENV)/bin
# auto: the small CPU build of torch unless an NVIDIA GPU is seen. cpu, cuda: that one.
TORCH = auto
# Assigned with '=' so that only `make serve HOST=...` sets them: shells export HOST for other purposes.
HOST =
PORT =
DATA =
PAIR =
CONFIG = training/configs/small.toml
ARGS =

# The first of these that is a version for which every pin in constraints.txt has a wheel, else the first that is new
# enough; `make PYTHON=/path/to/python3` names one.
PYTHON =
CANDIDATES = python3 python3.13 python3.12 python3.11 python
KNOWN = (3, 11) <= sys.version_info[:2] <= (3, 13)
NEW_ENOUGH = (3, 11) <= sys.version_info[:2]

SOURCES = app model training benchmarks scripts tests migrations client
INSTALL_INPUTS = pyproject.toml constraints.txt scripts/install.py

.DEFAULT_GOAL = help
.PHONY: help install install-cluster install-dev install-bench native check-native serve test coverage check format bench check-speed demo-loop evaluate train-small constraints clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PYTHON TORCH=auto|cpu|cuda HOST PORT DATA PAIR CONFIG ARGS VENV"

serve: install  ## install, bring the embedded database up to date, serve on http://127.0.0.1:8000
	@exec $(BIN)/traghetto serve $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(ARGS)

# One worker a core (ARGS="-n 0" for none).
test: install-dev  ## run the whole test suite; ARGS="-k search" for a part
	@exec $(BIN)/python -m pytest -n auto --dist worksteal --durations 15 $(ARGS)

coverage: install-dev  ## the same, and what it covered of app, model and training; slower by half
	@exec $(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report= $(ARGS)

check: install-dev  ## formatting, lint, types, architecture
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py

check-native: install-dev  ## tests of the C code under address and undefined-behaviour sanitizers; needs clang or gcc, AVX2
	@exec $(BIN)/python scripts/check_native.py

format: install-dev  ## let ruff format and repair
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: install-bench  ## speed of all of it beside CTranslate2; writes docs/results/benchmarks.*; ARGS="--help"
	@exec $(BIN)/python -m benchmarks $(ARGS)

check-speed: install-bench  ## has it become slower? quickly, beside the figures that are committed
	@exec $(BIN)/python -m benchmarks --check $(ARGS)

demo-loop: install  ## correct, approve, remember, retrain, promote, roll back: make demo-loop DATA=folder ARGS="--corrections 5 50"
	@exec $(BIN)/python -m benchmarks.demo_loop $(if $(DATA),--data $(DATA)) $(ARGS)

evaluate: install  ## full report of the current model of each pair: make evaluate DATA=folder; PAIR=it-en for one
	@for pair in $(or $(PAIR),it-en en-it); do \
	  $(if $(PAIR),,$(BIN)/traghetto models show $$pair >/dev/null || continue;) \
	  $(BIN)/traghetto evaluate --pair $$pair --full $(if $(DATA),--data $(DATA)) $(ARGS) || exit; \
	done

train-small: install  ## train the CPU setting: make train-small DATA=folder
	@exec $(BIN)/traghetto train $(CONFIG) $(if $(DATA),--data $(DATA)) $(ARGS)

constraints: install-dev install-bench  ## write constraints.txt anew from what is installed in .venv
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

clean:  ## remove what was installed and cached; models and the database in var/ stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(VENV)/.installed-$(TORCH) native  ## what serving and training need
install-cluster: $(VENV)/.installed-cluster-$(TORCH) native  ## and Ray, object stores, Parquet: more than one machine
install-dev: $(VENV)/.installed-dev-$(TORCH) native
install-bench: $(VENV)/.installed-bench-$(TORCH) native

native: $(VENV)/.native  ## compile the fast decoder and trainer, where there is a C compiler
$(VENV)/.native: $(wildcard model/kernels/*.[ch]) model/kernels/native_library.py | $(VENV)/.installed-$(TORCH)
	@$(BIN)/python -m model.kernels.native_library --stamp $@

$(VENV)/.installed-$(TORCH): $(INSTALL_INPUTS)
	$(call installer,)
$(VENV)/.installed-cluster-$(TORCH): $(INSTALL_INPUTS)
	$(call installer,cluster)
$(VENV)/.installed-dev-$(TORCH): $(INSTALL_INPUTS)
	$(call installer,dev)
$(VENV)/.installed-bench-$(TORCH): $(INSTALL_INPUTS)
	$(call installer,bench)

define installer
@for accepted in '$(KNOWN)' '$(NEW_ENOUGH)'; do for python in $(or $(PYTHON),$(CANDIDATES)); do \
  if "$$python" -c "import sys; sys.exit(not ($$accepted))" 2>/dev/null; then \
    exec "$$python" scripts/install.py --venv $(VENV) --torch $(TORCH) --extras "$(1)" \
      --stamp $(sort $@ $(VENV)/.installed-$(TORCH)); \
  fi; \
done; done; \
echo "Traghetto needs Python 3.11 or later; not found among: $(or $(PYTHON),$(CANDIDATES))." >&2; \
echo "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1
endef
