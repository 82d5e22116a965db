"""Uploads a release: `python3 packaging/publish.py STEP dist`. The workflow `release` calls the steps in this order.

    github  the release on GitHub, with the files that SHA256SUMS names
    npm     the npm packages
    crates  the crate
    major   the tag of the major version, such as v0, by which workflows use the action
    image   uploads nothing: prints the name, the tag and the version of the image as outputs of a step

A step skips what an earlier attempt has uploaded, so that a job that failed can be repeated with the same files. A new build has
other files, and is an error.
"""

import os
import re
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
        published = printed("gh", "release", "download", tag, "--pattern", "SHA256SUMS", "--output", "-")
        if published != (folder / "SHA256SUMS").read_text(encoding="utf-8").strip():
            raise SystemExit(f"error: {tag} is published with other files than these: a new build is not the same release\n\
help: choose `Re-run failed jobs` instead of `Re-run all jobs`, or release a new version")
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
        run("npm", "publish", "--ignore-scripts", "--provenance", "--access", "public", *tag, str(package))


def crates(_folder):
    spec = f"upfault@{release.VERSION}"
    # In the folder of the repository, `cargo info` would show the repository.
    with tempfile.TemporaryDirectory() as elsewhere:
        if printed("cargo", "info", "--registry", "crates-io", spec, folder=elsewhere) is not None:
            print(f"{spec} is published already")
            return
    # Without compiling anything, because the code of a dependency could read the token. The job `crate` compiles the same files.
    run("cargo", "publish", "--locked", "--no-verify")


def major(_folder):
    if is_prerelease():
        print("a pre-release does not move the tag of the major version")
        return
    published = printed("gh", "release", "list", "--exclude-drafts", "--exclude-pre-releases", "--limit", "1000",
                        "--json", "tagName", "--jq", ".[].tagName")
    if published is None:
        raise SystemExit("error: the list of releases cannot be read")
    newest = newest_of_major(published.split(), release.VERSION)
    if newest != release.VERSION:
        print(f"{newest} is newer, so that the tag of the major version stays")
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
    print(f"name={name}\ntag={name}:{release.VERSION}\nversion={release.VERSION}")


def image_name(repository):
    """The name of the image without a tag. A registry accepts only lower case.

    >>> image_name("Some-Owner/upfault")
    'ghcr.io/some-owner/upfault'
    """
    return f"ghcr.io/{repository.lower()}"


def newest_of_major(tags, version):
    """The newest of a version and those with the same major number among tags.

    >>> newest_of_major(["v1.9.0", "v1.10.0", "v2.0.0", "v1.11.0-rc.1", "other"], "1.9.1")
    '1.10.0'
    >>> newest_of_major([], "1.9.1")
    '1.9.1'
    """
    finals = [tag.removeprefix("v") for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]
    numbers = lambda text: [int(part) for part in text.split(".")]
    return max([version, *(other for other in finals if numbers(other)[0] == numbers(version)[0])], key=numbers)


def is_prerelease():
    return "-" in release.VERSION


STEPS = {step.__name__: step for step in (github, npm, crates, major, image)}


def main():
    step, folder = sys.argv[1:]
    STEPS[step](Path(folder))


if __name__ == "__main__":
    main()
