#!/usr/bin/env bash
# Installs upfault with uv, for the action. Reads VERSION and PACKAGE, writes the outputs version, cache and python.
set -euo pipefail

case "$PACKAGE:$VERSION" in
    ?*:*) requirement=$PACKAGE ;;
    :latest) requirement=upfault ;;
    *) requirement="upfault==$VERSION" ;;
esac
uv tool install --quiet --force "$requirement"
folder=$(uv tool dir --bin)
# An installed Python contains absolute paths, so the cache is always in the same place.
cache="${RUNNER_TEMP:?}/upfault-cache"
python="${RUNNER_TEMP:?}/upfault-python"
mkdir -p "$cache" "$python"
echo "$folder" >>"$GITHUB_PATH"
{
    echo "UPFAULT_CACHE=$cache"
    echo "UV_PYTHON_INSTALL_DIR=$python"
} >>"$GITHUB_ENV"
version=$("$folder/upfault" --version)
echo "$version"
{
    echo "version=${version#upfault }"
    echo "cache=$cache"
    echo "python=$python"
} >>"$GITHUB_OUTPUT"
