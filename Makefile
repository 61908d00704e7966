# Two commands matter: `make demo` and `make test`. Each does all of its own set-up.
.PHONY: demo test check install format lock bench

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

# Needs `uv` (pip install uv). The runtime lock is a subset of the dev lock.
UV_LOCK = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--only-binary :all: --no-emit-index-url --no-emit-find-links --no-header --quiet
lock:
	$(UV_LOCK) --extra build --extra dev --output-file requirements/dev.lock
	$(UV_LOCK) --extra build --constraint requirements/dev.lock --output-file requirements/runtime.lock
