# make demo: the main job, end to end, on data it makes itself
# make test: the test suite
# Both install what requirements/ lists, file by file checked by its hash. TORCH=cpu leaves CUDA out.
PYTHON ?= python3
TORCH ?= $(shell cat .venv/torch 2>/dev/null)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV := $(BIN)/uv --quiet
LOCK = $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock" $(UPGRADE)

.PHONY: demo test slow lint docs site package lock clean

demo: .venv/run.stamp
	$(BIN)/negmine demo --out demo

# A worker for each processor, with one thread. A test that hangs fails with its stack; one that
# cannot even be interrupted ends its worker, with the stacks of all threads.
test: .venv/dev.stamp
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest \
		-n logical --dist worksteal --timeout 300 \
		-o faulthandler_timeout=330 -o faulthandler_exit_on_timeout=true $(PYTEST)

# the tests that take minutes
slow: .venv/dev.stamp
	$(BIN)/python -m pytest -m slow

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Writes again what is generated in docs/: tables of settings and results, outputs of tutorials
docs: .venv/dev.stamp
	$(BIN)/python -m negmine.cli.settings_docs
	$(BIN)/python -m benchmarks.results_page
	$(BIN)/python tests/tutorial_pages.py

# The documentation as a website in site/, without a warning
site: .venv/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

# wheel and sdist in dist/, and the whole job by the wheel in an environment of its own
package: .venv/dev.stamp
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python .ci/try_wheel.py dist

# Writes requirements/ again from pyproject.toml. Versions that still fit stay: make lock UPGRADE=--upgrade
lock: .venv/uv.stamp
	$(LOCK) pyproject.toml --extra dev --group build -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra train --group build -c requirements/dev.txt -o requirements/run.txt
	$(LOCK) --group docs -c requirements/dev.txt -o requirements/docs.txt
	echo uv | $(LOCK) - -o requirements/uv.txt

clean:
	rm -rf .venv demo dist site

# the stamp, not pyvenv.cfg: that is written first, and pip may be missing after Ctrl-C
.venv/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "negmine needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/uv.stamp: .venv/made.stamp requirements/uv.txt
	$(PIP) install --require-hashes -r requirements/uv.txt
	@touch $@

# mkdocs reads negmine's source without importing it
.venv/docs.stamp: .venv/made.stamp requirements/docs.txt
	$(PIP) install --require-hashes -r requirements/docs.txt
	@touch $@

ifeq ($(TORCH),cpu)
# PyTorch's own index has the wheels without CUDA; their hashes are not those of requirements/.
.venv/%.stamp: .venv/uv.stamp requirements/%.txt pyproject.toml
	$(UV) pip install --python $(BIN)/python --torch-backend cpu --no-deps \
		$$(sed -n 's/^\(torch[a-z]*==[^ ;]*\).*/\1/p' requirements/$*.txt)
	@echo cpu > .venv/torch
	awk '/^[a-z]/ { keep = !/^(torch|nvidia-|cuda-|triton)/ } keep' requirements/$*.txt > .venv/$*.txt
	$(PIP) install --no-deps --require-hashes -r .venv/$*.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
else
.venv/%.stamp: .venv/made.stamp requirements/%.txt pyproject.toml
	$(PIP) install --require-hashes -r requirements/$*.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
endif
