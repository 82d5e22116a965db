"""Uploads a release: `python3 packaging/publish.py STEP dist`. The workflow `release` calls the steps in this order.

    github  the release on GitHub, with the files that SHA256SUMS names
    npm     the npm packages
    crates  the crate
    major   the tag of the major version, such as v0, by which workflows use the action
    image   uploads nothing: prints the name and the tag of the image as outputs of a step

A step skips what an earlier attempt has uploaded, so that a job that failed can be repeated.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import release


def run(*command):
    print(" ".join(command), flush=True)
    subprocess.run(command, check=True)


def printed(*command, folder=None):
    """What a command prints; `None` if it fails."""
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=folder)
    return ended.stdout.strip() if ended.returncode == 0 else None


def files(folder):
    """The files that SHA256SUMS names, and SHA256SUMS itself."""
    names = [line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]
    return [str(folder / name) for name in [*names, "SHA256SUMS"]]


def github(folder):
    """A draft gets all files and is then published, so that no release has only some of them."""
    tag = f"v{release.VERSION}"
    is_draft = printed("gh", "release", "view", tag, "--json", "isDraft", "--jq", ".isDraft")
    if is_draft == "false":
        print(f"{tag} is published already")
        return
    if is_draft is None:
        title = f"upfault {release.VERSION}"
        kind = ["--prerelease"] if is_prerelease() else []
        run("gh", "release", "create", tag, "--verify-tag", "--draft", *kind, "--title", title, "--notes-file", "notes.md")
    run("gh", "release", "upload", tag, "--clobber", *files(folder))
    run("gh", "release", "edit", tag, "--draft=false")


def npm(folder):
    """The packages of the platforms first: the launcher needs them."""
    for name in [*map(release.npm_name, release.TARGETS), "upfault"]:
        if printed("npm", "view", f"{name}@{release.VERSION}", "version"):
            print(f"{name} {release.VERSION} is published already")
            continue
        tag = ["--tag", "next"] if is_prerelease() else []
        # npm reads a relative path as a repository on GitHub unless it begins with a dot.
        package = (folder / f"{name}-{release.VERSION}.tgz").resolve()
        run("npm", "publish", "--provenance", "--access", "public", *tag, str(package))


def crates(_folder):
    spec = f"upfault@{release.VERSION}"
    # In the folder of the repository, `cargo info` would show the repository.
    with tempfile.TemporaryDirectory() as elsewhere:
        if printed("cargo", "info", "--registry", "crates-io", spec, folder=elsewhere) is not None:
            print(f"{spec} is published already")
            return
    run("cargo", "publish", "--locked")


def major(_folder):
    if is_prerelease():
        print("a pre-release does not move the tag of the major version")
        return
    repository, commit = os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_SHA"]
    tag = f"v{release.VERSION.split('.')[0]}"
    refs = f"repos/{repository}/git/refs"
    if printed("gh", "api", f"repos/{repository}/git/ref/tags/{tag}") is None:
        run("gh", "api", "--method", "POST", refs, "--raw-field", f"ref=refs/tags/{tag}", "--raw-field", f"sha={commit}")
    else:
        run("gh", "api", "--method", "PATCH", f"{refs}/tags/{tag}", "--raw-field", f"sha={commit}", "--field", "force=true")


def image(_folder):
    name = image_name(os.environ["GITHUB_REPOSITORY"])
    print(f"name={name}\ntag={name}:{release.VERSION}")


def image_name(repository):
    """The name of the image without a tag. A registry accepts only lower case.

    >>> image_name("Some-Owner/upfault")
    'ghcr.io/some-owner/upfault'
    """
    return f"ghcr.io/{repository.lower()}"


def is_prerelease():
    return "-" in release.VERSION


STEPS = {step.__name__: step for step in (github, npm, crates, major, image)}


def main():
    step, folder = sys.argv[1:]
    STEPS[step](Path(folder))


if __name__ == "__main__":
    main()
