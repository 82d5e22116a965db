# What there is to do here; `just` alone lists it.
_default:
    @just --list

# Everything that CI checks, without installing anything (needs uv)
check:
    .ci/run --local

# The tests, offline
test *ARGS:
    cargo test {{ ARGS }}

# How fast the mocks are, against a bare hyper server (two minutes); `just bench requests` for one figure
bench *ARGS:
    cargo bench --locked -- {{ ARGS }}

# Formatting and lints
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Format the code
fmt:
    cargo fmt

# Write docs/contract.md, docs/defects.md and the table in docs/policies.md anew; the library's documentation, warnings being errors
docs:
    UPDATE_DOCS=1 cargo test --test defects the_documents
    UPDATE_DOCS=1 cargo test --test docs the_table_of_keys
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# The score of the judge: defects of the embedded proxy that are caught, and findings on the honest one
defects:
    cargo test --test defects -- every_defect_breaks the_honest_proxy_breaks

# Every defect of the embedded proxy over every scenario: what it breaks is exactly what its row says (minutes)
defects-everywhere:
    WHOLE_LIBRARY=1 cargo test --test defects

# The honest proxy over every scenario, so many times, each with another seed, and over so many drawn ones: no finding
honest RUNS="20" DRAWN="2000":
    HONEST_RUNS={{ RUNS }} DRAWN={{ DRAWN }} cargo test --release --locked --test defects -- the_honest_proxy_breaks any::

# Write the JSON Schemas anew from the types
schema:
    UPDATE_SCHEMA=1 cargo test --lib schema

# The suite against the embedded proxy
builtin *ARGS:
    cargo run --release --locked -- run {{ ARGS }}

# The suite against LiteLLM, or a version of it: `just litellm @1.90.7`
litellm VERSION="" *ARGS:
    cargo run --release --locked -- run --proxy litellm{{ VERSION }} {{ ARGS }}

# A browser, curl, pytest and vitest against the control API of `serve` (needs them, uv, node and the network)
control-api:
    uv venv --quiet --allow-existing --python '>=3.11' target/ci/programs
    uv pip install --quiet --python target/ci/programs/bin/python httpx==0.28.1 pytest==9.2.0
    npm ci --prefix tests/control_api --ignore-scripts --no-audit --no-fund --loglevel=error
    UPFAULT_PYTHON=target/ci/programs/bin/python UPFAULT_PROGRAMS=chromium,curl,pytest,vitest cargo test --test control_api

# The official SDKs against the mocks (needs uv, node and the network): `just sdk --only boto3`
sdk *ARGS:
    uv venv --quiet --allow-existing --python '>=3.11' target/ci/sdk
    uv pip install --quiet --python target/ci/sdk/bin/python -r tests/sdk/requirements.txt
    npm ci --prefix tests/sdk --ignore-scripts --no-audit --no-fund --loglevel=error
    cargo build --release --locked
    target/ci/sdk/bin/python tests/sdk/run.py target/release/upfault {{ ARGS }}

# Licences, doubles, sources, advisories (needs cargo-deny and the network)
deny:
    cargo deny check
