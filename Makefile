# make demo: the whole line on real photos.  make test: the tests.  Both set themselves up in .venv.
include src/dda/quiet.env
export $(shell sed -n 's/^\([A-Z0-9_]*\)=.*/\1/p' src/dda/quiet.env)

SHELL := /bin/bash
VENV := $(CURDIR)/.venv
READY := $(VENV)/.ready
PYTHON ?= python3 python3.13 python3.12 python3.11
PHOTOS ?= embedded
VAE ?= tiny
BENCH_PHOTOS ?= embedded
export PATH := $(VENV)/bin:$(PATH)
export PREFECT_HOME := $(CURDIR)/.prefect

.PHONY: setup demo test check bench bench-gpu services services-check flow deploy worker fit clean
.DEFAULT_GOAL := help

help:
	@echo "make demo                 photos -> reconstructions -> pairs -> audit -> detector -> results, on embedded photos"
	@echo "make demo PHOTOS=FOLDER   the same on your own photos"
	@echo "make test                 the tests (about 23 minutes on two cores)"
	@echo "make check                lint, format, types, and the rules of the house"
	@echo "make bench                throughput against plain baselines; choose by VAE=, BENCH_PHOTOS= and BENCH_OPTIONS="
	@echo "make bench-gpu            the same on a GPU: Stable Diffusion 2.1's architecture and DINOv2 ViT-L/14 with LoRA"
	@echo "make flow                 the whole line as a Prefect flow, up to the registry and the gate"
	@echo "make services             S3, MLflow, Prefect and a worker on this machine, until Ctrl-C; addresses in services.env"
	@echo "make services-check       one line for each of them; fails where one is not well"
	@echo "make deploy               flows with their schedules, on the server of PREFECT_API_URL"
	@echo "make worker               runs them, in this clone"
	@echo "make setup                only the environment, in .venv"

setup: $(READY)

# Any Python from 3.11 on; uv, from its own wheel, installs the exact versions of constraints.txt. Compiled at once, since
# with PYTHONDONTWRITEBYTECODE set every start of every stage would compile its imports anew.
$(READY): pyproject.toml constraints.txt
	@for candidate in $(PYTHON); do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "dda needs Python 3.11 or newer; name one by: make setup PYTHON=/path/to/python" >&2; exit 1; fi; \
	echo "setting up .venv with $$($$found --version) ..."; \
	$$found -m venv $(VENV) && \
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv && \
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python -c constraints.txt -e '.[dev]' && \
	touch $@

demo: setup
	dda get "$(PHOTOS)"
	dvc repro
	@dda summary

# Two files at a time, slow ones first, each process with one thread: they would wait for one another. Clusters need both cores.
test: setup
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/io/test_executors.py
	pytest tests/io/test_executors.py

check: setup
	ruff check .
	ruff format --check .
	mypy
	pytest tests/guards --durations=0

# Each against a plain baseline in the same run; figures with date and machine stand in docs/experiments.md.
bench: setup
	python bench/reconstruct.py --vae "$(VAE)" --photos "$(BENCH_PHOTOS)" $(BENCH_OPTIONS)
	python bench/align.py --photos "$(BENCH_PHOTOS)"
	python bench/loader.py --photos "$(BENCH_PHOTOS)"
	python bench/train.py --detector embedded --precision float32 --photos "$(BENCH_PHOTOS)"
	python bench/evaluate.py --photos "$(BENCH_PHOTOS)"
	python bench/scores.py
	python bench/detect.py --photos "$(BENCH_PHOTOS)"
	python bench/web.py
	python bench/serve.py

bench-gpu: setup
	for compile in "" --compile; do \
		python bench/reconstruct.py --vae sd21-random --photos "$(BENCH_PHOTOS)" --size 640x480 --n 1024 \
			--plain-precision float16 --batch-pixels 5000000 --photos-per-shard 128 $$compile $(BENCH_OPTIONS) || exit; \
	done
	for compile in "" --compile; do \
		python bench/train.py --detector dinov2-l14 --photos "$(BENCH_PHOTOS)" --size 640x480 --n 256 --updates 100 $$compile || exit; \
	done
	python bench/evaluate.py --detector dinov2-l14 --precision bfloat16 --batch 128 --photos "$(BENCH_PHOTOS)" --size 640x480 --n 2000

# The services whose addresses are this machine's; others are not started. SERVICES=FILE: settings of your own.
SERVICES ?= services.env
services: setup
	@exec python -m flows.serve start --env "$(SERVICES)"

services-check: setup
	@python -m flows.serve check --env "$(SERVICES)"

flow: setup
	python -m flows.nightly

# Pool, GPU slot, the deployments of prefect.yaml, the watch over crashed runs: docs/orchestration.md. May be done again.
deploy: setup
	python -m flows.deploy

# A worker works in the clone that it is started from: with DDA_BRANCH set, let that be a clone of its own.
worker: setup
	@exec python -m flows.worker

# Make the embedded VAE anew from the embedded photographs (about 25 minutes on two cores).
fit: setup
	python -m dda.embedded.fit

clean:
	rm -rf artifacts .pytest_cache .mypy_cache .ruff_cache
