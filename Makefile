# Everything goes through a virtual environment in .venv, made from uv.lock; no tool but make, python3 and pip is needed.
# Compiled code is kept in .cache, so that a fresh clone starts without any.

export ALSMODEL_CACHE := $(CURDIR)/.cache
unexport NUMBA_CACHE_DIR PYTENSOR_FLAGS VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
READY := .venv/.ready
DEMO_DATA := studies/demo/data/truth.json
DEMO_PARTICIPANTS := 350
PYTEST_ARGS ?=

.PHONY: help setup demo test check bench-joint bench-joint-large bench-domains bench-ingest bench-ingest-large bench-lmm bench-patients bench-power-curve bench-refit bench-mixed bench-survival bench-ranks calibrate-events calibrate-increments bench-mmrm bench-mmrm13 bench-peers calibrate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything in uv.lock

$(READY): pyproject.toml uv.lock
	@python="$$(.ci/find_python)"; \
	uv="$$(.ci/find_uv "$$python")" || exit 1; \
	echo "Setting up .venv with $${python:-a Python that uv downloads}"; \
	if [ -n "$$python" ]; then export UV_PYTHON="$$python"; fi; \
	"$$uv" sync --frozen --quiet
	@touch $@

demo: $(READY) $(DEMO_DATA) ## Synthetic cohort -> fit -> power -> runs/demo/report.html
	$(BIN)/alsmodel run studies/demo/study.toml --out runs/demo

$(DEMO_DATA): $(wildcard alsmodel/patients/*.py) | $(READY)
	$(BIN)/alsmodel synthesize --format proact --participants $(DEMO_PARTICIPANTS) --seed 20 --out studies/demo/data --force

test: $(READY) ## All tests
	$(BIN)/alsmodel warmup
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 $(PYTEST_ARGS)

check: $(READY) ## Style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports --no-cache

bench-joint: $(READY) ## Effective draws per CPU second of the joint model, N = 300 and 1,000
	$(BIN)/python benchmarks/joint.py

bench-joint-large: $(READY) ## Full posterior for 10,000 participants
	$(BIN)/python benchmarks/joint_large.py

bench-domains: $(READY) ## CPU seconds to 400 effective draws: four censored domain scores, N = 1,000
	$(BIN)/python benchmarks/domains.py

bench-refit: $(READY) ## Refits of a simulated trial per CPU second, N = 300
	$(BIN)/python benchmarks/refit.py

bench-mixed: $(READY) ## Effective draws per CPU second of the mixed model alone, N = 10,000
	$(BIN)/python benchmarks/mixed.py

bench-ingest: $(READY) ## Wall time and memory of reading a large PRO-ACT folder
	$(BIN)/python benchmarks/ingest.py

bench-ingest-large: $(READY) ## Ingest and validate 100,000 participants and 1,000,000 assessments
	$(BIN)/python benchmarks/ingest_large.py

bench-lmm: $(READY) ## Random-slope REML fits with Kenward-Roger per CPU second
	$(BIN)/python benchmarks/lmm.py

bench-patients: $(READY) ## Virtual participants per CPU second
	$(BIN)/python benchmarks/patients.py

bench-power-curve: $(READY) ## Wall seconds of 20 design points x 10,000 replicates x all analyses on 2 cores
	$(BIN)/python benchmarks/power_curve.py

bench-survival: $(READY) ## Cox, log-rank, RMST: fits per CPU second at n = 300
	$(BIN)/python benchmarks/survival.py

bench-ranks: $(READY) ## Joint rank and win ratio: fits per CPU second at n = 300
	$(BIN)/python benchmarks/ranks.py

calibrate-events: $(READY) ## Type I error of the survival and rank analyses, then of those of scores (minutes)
	$(BIN)/python -m tests.calibration.type_one_events
	$(BIN)/python -m tests.calibration.type_one_scores

calibrate-increments: $(READY) ## Increments at looks of every analysis, and what boundaries claim without effect (half an hour)
	$(BIN)/python -m tests.calibration.increments
	$(BIN)/python -m tests.calibration.render_increments

bench-mmrm: $(READY) ## MMRM fits per CPU second, 6 visits
	$(BIN)/python benchmarks/mmrm.py --visits 6

bench-mmrm13: $(READY) ## MMRM fits per CPU second, 13 visits
	$(BIN)/python benchmarks/mmrm.py --visits 13

bench-peers: $(READY) ## The same analyses by statsmodels, lifelines and, where R is there, lme4, nlme and survival
	$(BIN)/python benchmarks/peers.py

calibrate: $(READY) ## Simulation-based calibration (long)
	$(BIN)/python -m tests.calibration.run --workers 2

clean: ## Remove runs, caches and the demo's data; keeps .venv
	rm -rf runs .cache studies/*/data studies/*/run .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
