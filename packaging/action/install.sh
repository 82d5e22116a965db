#!/usr/bin/env bash
# Installs upfault with uv, for the action. Reads VERSION, PACKAGE and PROXY, writes the outputs cache, python and key.
set -euo pipefail

# A workflow that pins the action pins upfault too: without VERSION, the version is that of the action.
if [[ -z "$VERSION" ]]; then
    VERSION=$(sed -n '/^version = "/{s/^version = "\(.*\)"$/\1/p;q;}' "$GITHUB_ACTION_PATH/Cargo.toml")
fi
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
version=$("$folder/upfault" --version)
echo "$version"

# sha256: prints the checksum of standard input. macOS has no sha256sum.
sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}
# A key of the cache must not contain commas, which the name of a proxy can.
key=$(printf '%s\n' "$version" "$PROXY" | sha256)
{
    echo "cache=$cache"
    echo "python=$python"
    echo "key=$key"
} >>"$GITHUB_OUTPUT"
