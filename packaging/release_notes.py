"""Checks what a release needs, and prints its section of the changelog: `python3 packaging/release_notes.py OWNER/NAME [v1.2.3]`.

The tag must be the version in Cargo.toml, the changelog must have a section for it, Cargo.toml must name the repository that
releases it, because cargo-binstall downloads from there, and no document may contain OWNER. Without a tag it is a dry run: the
section `Unreleased` is enough.
"""

import re
import sys

import release

# The documents that name the owner of the repository.
OWNED = ["README.md", "docs/ci.md"]


def section(changelog, version):
    """The text below `## [VERSION]`, up to the next version. `None` if there is none, or if it is empty.

    >>> changelog = "# Changelog\\n## [Unreleased]\\n- c\\n## [1.1.0] - 2026-01-02\\n### Added\\n- b\\n\\n## [1.0.0]\\n## [0.9.0]\\n- a\\n"
    >>> section(changelog, "1.1.0")
    '### Added\\n- b'
    >>> section(changelog, "0.9.0")
    '- a'
    >>> section(changelog, "1.0.0"), section(changelog, "1.1"), section(changelog, "2.0.0")
    (None, None, None)
    """
    heading = re.search(rf"^## \[{re.escape(version)}\].*\n", changelog, re.MULTILINE)
    if heading is None:
        return None
    rest = changelog[heading.end() :]
    following = re.search(r"^## \[|^\[[^\]]+\]: ", rest, re.MULTILINE)
    return rest[: following.start() if following else None].strip() or None


def absolute(text, repository, ref):
    """A text whose links to files of the repository lead there, because the page of a release is elsewhere.

    >>> absolute("[a](docs/ci.md#cache), [b](#c), [d](https://e.example)", "me/upfault", "v1.0.0")
    '[a](https://github.com/me/upfault/blob/v1.0.0/docs/ci.md#cache), [b](#c), [d](https://e.example)'
    """
    return re.sub(r"\]\((?!#|[a-z]+:)", f"](https://github.com/{repository}/blob/{ref}/", text)


def checked(repository, tag=None):
    """The notes of a release, or `None`, and what is wrong."""
    problems = []
    release.wheel_version(release.VERSION)
    if tag not in (None, f"v{release.VERSION}"):
        problems.append(f"the tag {tag} is not v{release.VERSION}, the version in Cargo.toml")
    url = f"https://github.com/{repository}"
    if release.MANIFEST.get("repository") != url:
        problems.append(f"`repository` in Cargo.toml is {release.MANIFEST.get('repository')} and not {url}")
    for name in OWNED:
        if "OWNER/" in (release.ROOT / name).read_text(encoding="utf-8"):
            problems.append(f"{name} contains OWNER/: replace it by the owner of the repository")
    changelog = (release.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    notes = section(changelog, release.VERSION) or (section(changelog, "Unreleased") if tag is None else None)
    if notes is None:
        problems.append(f"CHANGELOG.md has no section ## [{release.VERSION}] with text: rename `Unreleased`")
        return None, problems
    return absolute(notes, repository, tag or "HEAD"), problems


def main():
    notes, problems = checked(*sys.argv[1:])
    if problems:
        raise SystemExit("\n".join(f"error: {problem}" for problem in problems))
    print(notes)


if __name__ == "__main__":
    main()
