# Ruddle: `make help` lists what there is.

ARGS ?=
CARGO ?= cargo

.PHONY: help run build test lint bench suite oracle clean

help: ## lists these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'
	@echo '  ARGS="--port 6380 --replicaof \"127.0.0.1 6379\"" passes arguments to make run'

run: ## builds the server and serves (ARGS="--port 6380 ...")
	$(CARGO) run --release --quiet -- $(ARGS)

build: ## builds the release binary: target/release/ruddle
	$(CARGO) build --release

test: ## runs every test that needs nothing but cargo
	$(CARGO) test

lint: ## checks format and clippy; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

oracle: ## runs the black-box tests against a real Redis as well (installs it if it is missing)
	tests/tools/oracle

suite: build ## runs Redis's own test suite against the server (fetches it if it is missing)
	tests/tools/suite target/release/ruddle

bench: build ## races the server against the Redis and Valkey it finds; writes docs/PERFORMANCE.md and its plot
	tests/bench/race --write docs target/release/ruddle

clean: ## removes what was built
	$(CARGO) clean
