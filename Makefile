# Targets of this project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test faults check format bench proto reference docs dist sdk-only

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .stamp-install ## run the bundled market live: make demo ARGS="--for 20s --view text"
	$(BIN)/glasstape demo $(ARGS)

test: .stamp-install check ## run everything that CI runs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 4 --dist loadfile $(ARGS)

faults: .stamp-install ## run the long fault, crash and fuzz tests (30 minutes and more): make faults ARGS="-k kill"
	GLASSTAPE_FAULTS=long $(BIN)/python -m pytest --timeout 7200 tests/faults tests/fuzz tests/server/signals/journal/sqlite/test_journal.py \
	  tests/server/cli/test_bench.py tests/server/cli/test_console_encodings.py tests/client_py/conformance $(ARGS)

check: .stamp-install ## check format, lint, types, imports, words, contract and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/words
	$(BIN)/python .ci/raises
	$(BIN)/hadolint deploy/Containerfile
	cd proto && PATH="$(CURDIR)/$(BIN):$$PATH" buf lint
	cd proto && PATH="$(CURDIR)/$(BIN):$$PATH" buf breaking --path glasstape --against baseline.binpb
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python proto/generate.py --check

format: .stamp-install ## auto-fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .stamp-install ## run a benchmark: make bench ARGS="burst --symbols 2000"
	$(BIN)/glasstape bench $(ARGS)

proto: .stamp-install ## generate the stubs from proto/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python proto/generate.py $(ARGS)

reference: .stamp-install ## generate docs/reference: command line, settings, metrics and Open Inference Protocol
	for page in cli metrics open_inference settings; do $(BIN)/python docs/tools/$${page}_reference.py || exit 1; done

docs: .stamp-install ## build the SDK reference in build/docs and every picture of docs/
	$(BIN)/pdoc -o build/docs glasstape
	$(BIN)/python docs/tools/finding.py
	QT_SCALE_FACTOR=1 $(BIN)/python docs/tools/desktop_pictures.py docs/pictures/desktop
	QT_SCALE_FACTOR=2 $(BIN)/python docs/tools/desktop_pictures.py docs/pictures/desktop
	$(BIN)/python docs/tools/desktop_film.py docs/pictures/desktop/film.webp

dist: .stamp-install ## build the wheels and sdists of the three distributions in build/dist
	rm -rf build/dist
	for folder in client_py server client_qt; do \
	  (cd $$folder && ../$(BIN)/python -m hatchling build --directory ../build/dist) || exit 1; done

sdk-only: dist ## test the SDK's wheel in an environment of its own, without a server
	$(PYTHON) -m venv --clear build/sdk-only
	build/sdk-only/bin/python -m pip install --quiet --constraint constraints.txt \
	  build/dist/glasstape-*.whl pytest pytest-asyncio pytest-timeout
	build/sdk-only/bin/python -m pytest -c tests/sdk_only.ini tests/client_py $(ARGS)

# Set-up: a virtual environment with pinned packages, and the shared libraries that PyQt6 loads.
.stamp-install: pyproject.toml constraints.txt .ci/fast.txt .ci/system-libraries
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement .ci/fast.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	bash .ci/system-libraries
	@touch $@
