# Two commands matter: `make demo` and `make test`. Each does all of its own set-up.
.PHONY: demo test check install format lock bench fuzz

demo: install
	@.venv/bin/broker demo

test: dev
	@scripts/test-servers.sh
	@scripts/test-peers.sh
	@.venv/bin/python -m pytest -n 2 $(PYTEST_ARGS)

check: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

install:
	@scripts/venv.sh runtime

.PHONY: dev
dev:
	@scripts/venv.sh dev

format: dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: dev
	@scripts/test-servers.sh
	.venv/bin/python -m benchmarks

# Coverage-guided, for as long as it is given, with findings in .cache/fuzz: not part of the gate.
FUZZ_SECONDS ?= 60
fuzz: dev
	@test -x .cache/fuzz-venv/bin/python || python3 -m venv .cache/fuzz-venv
	@.cache/fuzz-venv/bin/pip install --quiet --require-hashes --only-binary :all: --no-deps -r requirements/dev.lock
	@.cache/fuzz-venv/bin/pip install --quiet --only-binary :all: atheris==3.0.0
	@mkdir -p .cache/fuzz/corpus
	PYTHONPATH=. .cache/fuzz-venv/bin/python -m tests.fuzz.saml_response -max_total_time=$(FUZZ_SECONDS)

# Needs `uv` (pip install uv). The runtime lock is a subset of the dev lock.
UV_LOCK = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--only-binary :all: --no-emit-index-url --no-emit-find-links --no-header --quiet
lock:
	$(UV_LOCK) --extra build --extra dev --output-file requirements/dev.lock
	$(UV_LOCK) --extra build --constraint requirements/dev.lock --output-file requirements/runtime.lock
