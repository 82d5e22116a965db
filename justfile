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

# Every defect of the embedded proxy over every scenario: what it breaks is exactly what its row says (minutes)
defects:
    WHOLE_LIBRARY=1 cargo test --test defects

# Write the JSON Schemas anew from the types
schema:
    UPDATE_SCHEMA=1 cargo test --lib schema

# The suite against the embedded proxy
builtin *ARGS:
    cargo run --release --locked -- run {{ ARGS }}

# The suite against LiteLLM, or a version of it: `just litellm @1.90.7`
litellm VERSION="" *ARGS:
    cargo run --release --locked -- run --proxy litellm{{ VERSION }} {{ ARGS }}

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
