# Everything from a machine with Python, pip and make: an own .venv, the package, its bytecode, then the work.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Without bytecode every start takes 20 seconds and more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint install docs benchmarks clean

demo: $(READY)  ## every stage on photographs: demo/report.html, demo/results.json
	$(BIN)/difffake demo --out demo --overwrite

# A process a core with one thread each: several tests compare bit for bit, and sums depend on the number of threads.
test: $(READY)  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

lint: $(READY) docs  ## style, types, links of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(READY)

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable ".[dev]"
	$(BIN)/python -m compileall -q difffake tests
	touch $@

# A warning is an error. The variable silences the theme's notice that it gets fixes until May 2027 only.
docs: $(READY)  ## the documentation as pages in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# albumentations asks for a second OpenCV wheel, which would overwrite the first; it runs with ours.
# Those of faces, prepare and the loader need real data: make benchmarks PHOTOGRAPHS=FOLDER VIDEOS=FOLDER MANIFEST=FOLDER;
# that of export needs a detector: CKPT=FILE
benchmarks: $(READY)  ## speed against the named references
	$(BIN)/uv pip install --quiet --python $(BIN)/python pydantic
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps albumentations==2.0.8 albucore==0.0.24 stringzilla simsimd
	$(BIN)/python benchmarks/pseudo_deepfakes.py
	$(BIN)/python benchmarks/gaussian_mixture.py
	$(BIN)/python benchmarks/guide_step.py
	$(BIN)/python benchmarks/freed_memory.py
	$(if $(PHOTOGRAPHS),$(BIN)/python benchmarks/faces.py --photographs $(PHOTOGRAPHS))
	$(if $(VIDEOS),$(BIN)/python benchmarks/prepare.py $(VIDEOS))
	$(if $(MANIFEST),$(BIN)/python benchmarks/dataloader.py $(MANIFEST))
	$(if $(CKPT),$(BIN)/python benchmarks/export.py --ckpt $(CKPT))
	$(if $(VIDEOS),$(BIN)/python benchmarks/predict.py $(VIDEOS) --ckpt difffake/detector)

clean:
	rm -rf $(VENV) build site demo
