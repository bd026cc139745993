# Commands of the project; `make` lists them. They need Rust, Python 3.9 with pip, and a network the first time.
# Whatever is fetched goes to `.recmirror/` in this folder. Paths are relative, so a clone may live anywhere.

PYTHON ?= python3
CARGO ?= cargo

RECMIRROR := $(CARGO) run --release --locked --quiet --
DATA := .recmirror/data/ml-100k
TRAIN := .recmirror/train
EMBEDDER := .recmirror/embedder-build
EXPORT := .recmirror/language
TUNE := .recmirror/tune
PEERS := .recmirror/peers
PYTHON_TOOLS := .recmirror/python
RL := .recmirror/rl
SPELLING := .recmirror/spelling
RECBOLE := .recmirror/recbole
GGUF := .recmirror/gguf/SmolLM2-135M-Instruct.Q4_1.gguf

MEANINGS := movielens cold_start_items cold_start_users exploration_pays_late fatigue feedback_loop filter_bubble \
	popularity_bias provider_fairness satiation time_on_site

.DEFAULT_GOAL := help
.PHONY: help demo runtime data datasets build test test-scripts test-python wheel rl bench model sasrec embedder lm test-lm test-train meanings peers recbole bench-peers test-server deny clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: runtime data build ## fetch, build and run the MovieLens experiment; the report is runs/movielens/report.html
	$(RECMIRROR) run scenarios/movielens.toml --out runs/movielens --force
	@echo "open runs/movielens/report.html in a browser"

runtime: ## fetch the pinned ONNX Runtime into .recmirror/onnxruntime
	@$(PYTHON) scripts/fetch.py runtime

data: ## fetch MovieLens-100K into .recmirror/data/ml-100k (terms: TERMS.txt in that folder)
	@$(PYTHON) scripts/fetch.py data

build: ## build the program: target/release/recmirror
	$(CARGO) build --release --locked

# The benches are compiled with the profile of the tests: the dependencies are then built once and not twice.
test: runtime data ## run every check that a change must pass; stops at the first that fails
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked
	$(CARGO) check --locked --no-default-features --lib --examples
	for example in custom_policy custom_user custom_dynamic custom_metric custom_reader environment experiment; do \
		$(CARGO) run --locked --quiet --example $$example > /dev/null || exit; \
	done
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	$(CARGO) bench --locked --profile dev --no-run
	@$(MAKE) --no-print-directory test-scripts
	@$(MAKE) --no-print-directory test-python
	@echo "all checks passed"

test-scripts: $(SPELLING)/ready ## check scripts, links, words and spelling (needs Python 3.11)
	PYTHONPYCACHEPREFIX=.recmirror/pycache $(PYTHON) -m compileall -q -f scripts models examples benches tests/fixtures
	PYTHONPYCACHEPREFIX=.recmirror/pycache $(PYTHON) -m unittest discover -q -s scripts
	git ls-files -z | xargs -0 $(SPELLING)/bin/codespell

# The profile of the tests, so that the dependencies are not built again; the environment has nothing but the wheel.
test-python: $(PYTHON_TOOLS)/ready ## build the Python package, install it and run its tests (needs Python 3.11)
	$(CARGO) clippy --locked --package recmirror-python -- -D warnings
	rm -rf .recmirror/wheels
	VIRTUAL_ENV="$$PWD/$(PYTHON_TOOLS)" $(PYTHON_TOOLS)/bin/maturin build --quiet --locked --profile dev \
		--manifest-path python/Cargo.toml --out .recmirror/wheels
	$(PYTHON_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .recmirror/wheels/*.whl
	cd python && ../$(PYTHON_TOOLS)/bin/python -m mypy
	cd python/tests && ../../$(PYTHON_TOOLS)/bin/python -m pytest -q -p no:cacheprovider .

wheel: $(PYTHON_TOOLS)/ready ## build the Python package: target/wheels/recmirror-*.whl
	VIRTUAL_ENV="$$PWD/$(PYTHON_TOOLS)" $(PYTHON_TOOLS)/bin/maturin build --release --locked --manifest-path python/Cargo.toml

# For example: make datasets DATA_SETS="~/ml-1m ~/shop"
datasets: runtime build ## fit, measure and run on each of DATA_SETS; the tables of docs/reference/datasets.md
	rm -rf .recmirror/datasets
	$(PYTHON) scripts/datasets.py $(DATA_SETS) --out .recmirror/datasets

bench: runtime data ## measure the hot paths
	$(CARGO) bench --locked

# `venv` and not an installed Python: the pinned packages stay out of the system. Needs Python 3.11 or newer.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: this needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv --clear $(@D) || \
		{ echo "error: $(PYTHON) cannot make a venv; install the package python3-venv" >&2; exit 2; }
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes \
		--only-binary=:all: -r $<
	@touch $@
endef

$(TRAIN)/ready: models/train/requirements.txt
	$(environment)

$(EMBEDDER)/ready: models/embedder/requirements.txt
	$(environment)

$(EXPORT)/ready: models/language/requirements.txt
	$(environment)

$(PYTHON_TOOLS)/ready: python/requirements.txt
	$(environment)

$(RL)/ready: examples/rl/requirements.txt
	$(environment)

$(SPELLING)/ready: scripts/spelling.txt
	$(environment)

# The terms go into the cards of the models; only the owner of the data can say them.
TERMS := MovieLens-100K by GroupLens, University of Minnesota: research use, no redistribution, no commercial use without permission; cite \
Harper and Konstan 2015, doi 10.1145/2827872. No row of the data is in this model.

model: runtime data build ## fit the mirror again into models/mirror, with two replicates for `run --trust`, and measure it for its card
	$(RECMIRROR) fit $(DATA) --out models/mirror --name mirror-ml-100k --replicates 2 --licence "$(TERMS)" --force

sasrec: runtime data build $(TRAIN)/ready ## train the ranker of the policy `onnx` again into models/sasrec and measure it for its card
	$(TRAIN)/bin/python models/train/test_sasrec.py
	rm -rf .recmirror/sasrec
	mkdir -p .recmirror/sasrec
	$(RECMIRROR) tensors --data $(DATA) --out .recmirror/sasrec/tensors
	$(TRAIN)/bin/python models/train/train_sasrec.py --tensors .recmirror/sasrec/tensors --out models/sasrec
	$(TRAIN)/bin/python models/train/sasrec_card.py --tensors .recmirror/sasrec/tensors --model models/sasrec \
		--name sasrec-ml-100k --texts models/train/movielens.toml
	$(CARGO) run --release --locked --quiet --example held_out -- benches/peers/policies.toml .recmirror/sasrec/held_out \
		> .recmirror/sasrec/figures.txt
	cat .recmirror/sasrec/figures.txt
	$(TRAIN)/bin/python models/train/sasrec_card.py --tensors .recmirror/sasrec/tensors --model models/sasrec \
		--name sasrec-ml-100k --texts models/train/movielens.toml --figures .recmirror/sasrec/figures.txt

# Simulators whose environments exist are measured too: make bench-peers SIMULATORS="--simulator sardine=PYTHON"
bench-peers: runtime data ## measure speed beside other programs, in pairs; prints a table of medians and ratios
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benches/peers/requirements.txt
	$(CARGO) bench --locked --no-run --bench peers
	$(PEERS)/bin/python benches/peers/speed.py $(SIMULATORS) \
		--bench "$$(ls -t target/release/deps/peers-* | grep -v '[.]d$$' | head -1)"

meanings: runtime data build ## how the conclusions of the demo and of ten scenarios change between taking and liking
	$(PYTHON) scripts/meanings.py target/release/recmirror $(MEANINGS:%=scenarios/%.toml) --out runs/meanings

peers: runtime data build ## compare the policies with public implementations, and off-policy values with obp (CONTRIBUTING.md)
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benches/peers/requirements.txt
	rm -rf .recmirror/held_out
	$(CARGO) run --release --locked --quiet --example held_out -- benches/peers/policies.toml .recmirror/held_out
	$(PEERS)/bin/python benches/peers/policies.py .recmirror/held_out
	$(CARGO) test --release --locked --test integration -- open_bandit wraps_a_library --nocapture

# torch 1.12.1 is one wheel of PyPI (776 MB on Linux) and needs Python 3.10: make recbole PYTHON=python3.10
# For fewer models or passes: make recbole RECBOLE_OPTIONS="--models DiffRec --seeds 1 --epochs 20"
recbole: runtime data build ## train RecBole's LightGCN, SASRec, NARM and DiffRec with and without simulated feedback (needs Python 3.10)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' || \
		{ echo "error: this needs Python 3.10; name it: make recbole PYTHON=python3.10" >&2; exit 2; }
	@test -x $(RECBOLE)/bin/python || $(PYTHON) -m venv $(RECBOLE)
	$(RECBOLE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r scripts/recbole_models.txt
	$(RECMIRROR) augment scenarios/augment.toml --no-measure --out .recmirror/augment --force
	$(RECBOLE)/bin/python -W ignore::FutureWarning scripts/recbole_models.py .recmirror/augment $(RECBOLE_OPTIONS)

embedder: $(EMBEDDER)/ready ## fetch a sentence encoder and put it into .recmirror/embedder, for `recmirror encode` and `scenes`
	@$(EMBEDDER)/bin/python models/embedder/build.py

lm: $(EXPORT)/ready ## make the language models models/lm-base (SmolLM2-135M as ONNX) and models/lm (models/lm-adapter merged in)
	@$(PYTHON) scripts/fetch.py lm
	PYTHONPYCACHEPREFIX=.recmirror/pycache $(EXPORT)/bin/python models/language/test_language.py
	PYTHONPYCACHEPREFIX=.recmirror/pycache $(EXPORT)/bin/python models/language/make.py \
		--source $(GGUF) --adapter models/lm-adapter --out models/lm
	PYTHONPYCACHEPREFIX=.recmirror/pycache $(EXPORT)/bin/python models/language/make.py --source $(GGUF) --out models/lm-base

test-lm: runtime ## check models/lm and models/lm-base (make them first: make lm)
	$(CARGO) test --release --locked --test integration language_real -- --ignored --nocapture

rl: $(RL)/ready ## train the agents of examples/rl and compare them with policies that look one step ahead (an hour or two)
	VIRTUAL_ENV="$$PWD/$(RL)" $(RL)/bin/maturin build --quiet --release --locked --manifest-path python/Cargo.toml --out $(RL)/wheels
	$(RL)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(RL)/wheels/*.whl
	@$(PYTHON) scripts/fetch.py data
	for scenario in satiation exploration churn; do \
		$(RL)/bin/python examples/rl/train.py examples/rl/$$scenario.toml --out runs/rl || exit; \
	done

test-train: ## check the Python of models/train: training of rankers and of language models (fetches torch, about 6 GB)
	@test -x $(TUNE)/bin/python || $(PYTHON) -m venv $(TUNE)
	$(TUNE)/bin/python -m pip install --quiet --disable-pip-version-check ./models/train
	$(TUNE)/bin/python -m pytest -q -p no:cacheprovider $(addprefix models/train/test_,$(addsuffix .py,tune teacher likeness join recipe heads reasons))
	@$(MAKE) --no-print-directory $(TRAIN)/ready
	$(TRAIN)/bin/python models/train/test_sasrec.py

test-server: ## check `decide` and `judge` against a small real server on this machine (fetches it, about 130 MB)
	$(CARGO) test --release --locked --test integration server_real -- --ignored --nocapture

deny: ## check licences, sources and advisories of the dependencies (needs cargo-deny)
	@$(CARGO) deny --version >/dev/null 2>&1 || \
		{ echo "error: cargo-deny is missing; install it: cargo install cargo-deny --locked" >&2; exit 2; }
	$(CARGO) deny --locked check

clean: ## remove what was built and fetched; runs/ stays
	rm -rf .recmirror
	$(CARGO) clean
