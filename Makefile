# What a developer and the pipeline run. Every target works in a fresh clone; cargo is all that has to be there.

# How many inputs each property is tried with; raise it to fuzz for longer.
export WHEREFORE_FUZZ_CASES ?= 512

CARGO ?= cargo

.DEFAULT_GOAL := test
.PHONY: test lint bench demo clients clean

test: clients ## every test: units, documentation, and the program with real senders and a real Prometheus
	$(CARGO) test --locked

lint: ## format, lints, documentation: warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps

bench: ## the paths that cost, measured; see benches/README.md
	$(CARGO) bench --locked --profile quick --bench paths

demo: ## a recorded incident through the real ports, until stopped
	$(CARGO) run --locked --release -- serve --demo

clients: ## programs and packages of others that tests use; what cannot be had is named and its tests are skipped
	@tests/clients/install

clean: ## everything that the targets above made
	$(CARGO) clean
	rm -rf .venv tests/clients/js/node_modules
