# Ruddle: `make help` lists what there is.

ARGS ?=
CARGO ?= cargo

.PHONY: help run build test lint docs install bench suite compatibility interop sentinel replicas soak oracle sim differential fuzz peers clean

# of `make sim`, `make differential`, `make fuzz` and `make suite`
SEED ?= 1
SEEDS ?= 1000
TIME ?= 60
UNITS ?=

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
	tests/tools/suite target/release/ruddle $(UNITS)

compatibility: build ## writes docs/COMPATIBILITY.md: Redis's suite unit by unit, and every command compared with the real servers
	tests/tools/commands target/release/ruddle --write docs/COMPATIBILITY.md
	tests/tools/suite target/release/ruddle --write docs/COMPATIBILITY.md

interop: build ## lets redis-cli, redis-benchmark and client libraries talk to the server (installs what is missing)
	tests/tools/interop target/release/ruddle
	tests/tools/interop_files target/release/ruddle

sentinel: build ## lets Redis's Sentinel fail over while primaries are killed under load (needs redis-server)
	tests/tools/replicas target/release/ruddle sentinel

replicas: build ## mixed chains with real servers whose links are cut, restarts of every kind, a slow link, under load
	tests/tools/replicas target/release/ruddle chains restarts slow --rounds 30

soak: build ## keeps a chain of three busy with everything for SOAK seconds (600) and watches what grows
	tests/tools/soak target/release/ruddle --seconds $(or $(SOAK),600)

sim: ## plays SEEDS simulated stories of each kind from SEED on (SEED=17 SEEDS=1 plays one again)
	SIM_SEED=$(SEED) SIM_SEEDS=$(SEEDS) $(CARGO) test --profile quick --test sim -- --nocapture

fuzz: ## fuzzes the parsers for TIME seconds, with cargo-fuzz if it is there
	tests/tools/fuzz $(TIME)

differential: ## sends random commands to the server and to a real Redis and compares (SEED=1 SEEDS=300, RESP=3, PEER=valkey9 for one more)
	$(CARGO) build --profile quick --bin ruddle --example differential
	SEED=$(SEED) STORIES=$(SEEDS) target/quick/examples/differential target/quick/ruddle

peers: ## brings the real servers to compare with onto this machine (Debian)
	tests/tools/peers

bench: build ## races the server against the Redis and Valkey it finds; writes docs/PERFORMANCE.md and its plot
	tests/bench/race --write docs target/release/ruddle

docs: ## writes the pages of docs/ that are made from the tables of commands and directives, and the picture of the modules
	RUDDLE_WRITE_DOCS=1 $(CARGO) test --locked --test docs --test tidy

PREFIX ?= /usr/local
install: build ## installs program, manual page and systemd unit below PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 target/release/ruddle $(DESTDIR)$(PREFIX)/bin/ruddle
	install -m 644 docs/ruddle.1 $(DESTDIR)$(PREFIX)/share/man/man1/ruddle.1
	sed 's|@PREFIX@|$(PREFIX)|' docs/ruddle.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/ruddle.service

clean: ## removes what was built
	$(CARGO) clean
