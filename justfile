# Common tasks. `just` without arguments lists them.
_default:
    @just --list

# Run every check of CI, without system packages (needs uv)
check:
    .ci/run --local

# Run the tests, offline
test *ARGS:
    cargo test {{ ARGS }}

# Compare the speed of the mocks with a bare hyper server (two minutes); `just bench requests` for one figure
bench *ARGS:
    cargo bench --locked -- {{ ARGS }}

# Check formatting and lints
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Format the code
fmt:
    cargo fmt

# Regenerate docs/contract.md, docs/defects.md, docs/gateways.md, docs/field-failures.md, docs/commands.md and the tables in other pages, and build the library's documentation
docs:
    UPDATE_DOCS=1 cargo test --test defects the_documents
    UPDATE_DOCS=1 cargo test --test docs
    UPDATE_DOCS=1 cargo test --lib the_table
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# Score the judge: which defects of the embedded proxy it finds, and what it finds without a defect
defects:
    cargo test --test defects -- every_defect_breaks the_honest_proxy_breaks

# Run every defect of the embedded proxy with every scenario; each must break exactly the rules in its row (minutes)
defects-everywhere:
    WHOLE_LIBRARY=1 cargo test --test defects

# Run the embedded proxy without a defect, RUNS times with every scenario and with DRAWN random scenarios; no findings
honest RUNS="20" DRAWN="2000":
    HONEST_RUNS={{ RUNS }} DRAWN={{ DRAWN }} cargo test --release --locked --test defects -- the_honest_proxy_breaks any::

# Regenerate the JSON Schemas from the types
schema:
    UPDATE_SCHEMA=1 cargo test --lib schema

# Run the scenarios against the embedded proxy
builtin *ARGS:
    cargo run --release --locked -- run {{ ARGS }}

# Run the scenarios against LiteLLM; `just litellm @1.90.7` for another version
litellm VERSION="" *ARGS:
    cargo run --release --locked -- run --proxy litellm{{ VERSION }} {{ ARGS }}

# Run the scenarios against the bundled gateways, by their accepted snapshots; `just gateways nginx haproxy` for some of them
gateways *NAMES:
    cargo build --release --locked
    .ci/gateways {{ NAMES }}

# Test the control API of `serve` with Chromium, curl, pytest and vitest (needs Chromium, curl, uv, node and the network)
control-api:
    uv venv --quiet --allow-existing --python '>=3.11' target/ci/programs
    uv pip install --quiet --python target/ci/programs/bin/python httpx==0.28.1 -r examples/pytest/requirements.txt
    npm ci --prefix tests/control_api --ignore-scripts --no-audit --no-fund --loglevel=error
    npm ci --prefix examples/vitest --ignore-scripts --no-audit --no-fund --loglevel=error
    UPFAULT_PYTHON=target/ci/programs/bin/python UPFAULT_PROGRAMS=chromium,curl,pytest,vitest cargo test --test control_api

# Test the HTML report in Chromium
html-report:
    UPFAULT_PROGRAMS=chromium cargo test --test html_report

# Make the wheel, the archives and the npm packages in target/ci/dist, install each into an empty environment and run it (needs uv, node and maturin)
packages:
    rm -rf target/ci/dist
    maturin build --release --locked --out target/ci/dist
    python3 packaging/packages.py target/ci/dist
    python3 packaging/try_packages.py target/ci/dist

# Run the official SDKs against the mocks (needs uv, node and the network); `just sdk --only boto3` for one
sdk *ARGS:
    uv venv --quiet --allow-existing --python '>=3.11' target/ci/sdk
    uv pip install --quiet --python target/ci/sdk/bin/python -r tests/sdk/requirements.txt
    npm ci --prefix tests/sdk --ignore-scripts --no-audit --no-fund --loglevel=error
    cargo build --release --locked
    target/ci/sdk/bin/python tests/sdk/run.py target/release/upfault {{ ARGS }}

# List error types of the newest official SDKs that the catalogue of the mocks does not contain (needs uv and the network)
new-errors:
    uv venv --quiet --clear --python '>=3.11' target/ci/newest
    uv pip install --quiet --python target/ci/newest/bin/python anthropic botocore cohere openai
    target/ci/newest/bin/python tests/sdk/new_errors.py target/ci/newest/lib/python3*/site-packages

# Check licences, duplicates, sources and advisories of dependencies (needs cargo-deny and the network)
deny:
    cargo deny check
