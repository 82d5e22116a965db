# The image of upfault. `docker build --build-arg COMMIT="$(git show --no-patch --abbrev=8 --format='%h %cs')" .`
#
# `docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/project" IMAGE` runs it with the upfault.toml of a project: the user
# 10001 of the image can read a project but not write reports and snapshots into it.
#
# Stages: `upfault` is only the program (the embedded proxy, `serve`, running proxies); `litellm`, the last one, can also install
# and start gateways, and contains LiteLLM in its default version.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
# The repository is not in the build context, so the commit comes from outside.
ARG COMMIT=""
RUN UPFAULT_COMMIT="$COMMIT" cargo build --release --locked && cp target/release/upfault /upfault

FROM debian:bookworm-slim AS upfault
LABEL org.opencontainers.image.title="upfault" \
    org.opencontainers.image.description="Test what an LLM gateway reports to its callers when a provider fails" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /upfault /usr/local/bin/upfault
# For `upfault record` and installations: the base image has no certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/upfault/
# Each run writes the configuration and the log of the gateway to /cache/runs.
ENV UPFAULT_CACHE=/cache HOME=/tmp
RUN mkdir -p /cache/runs && chmod -R a+rwX /cache
WORKDIR /project
USER 10001
ENTRYPOINT ["upfault"]
CMD ["run"]

FROM upfault AS litellm
USER root
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /usr/local/bin/uv
ENV UV_PYTHON_INSTALL_DIR=/cache/python UV_CACHE_DIR=/tmp/uv
# With another home folder, because what root leaves in /tmp the user could not change.
RUN HOME=/tmp/uv upfault proxy install litellm && rm -rf /tmp/uv && chmod -R a+rwX /cache
USER 10001
CMD ["run", "--proxy", "litellm"]
