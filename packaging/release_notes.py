"""Checks a tag before a release, and prints its section of the changelog: `python3 packaging/release_notes.py v1.2.3 OWNER/NAME`.

The tag must be the version in Cargo.toml, the changelog must have a section for it, and Cargo.toml must name the repository that
releases it, because cargo-binstall downloads from there.
"""

import re
import sys

import release


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


def main():
    tag, repository = sys.argv[1:]
    problems = []
    if tag != f"v{release.VERSION}":
        problems.append(f"the tag {tag} is not v{release.VERSION}, the version in Cargo.toml")
    url = f"https://github.com/{repository}"
    if release.MANIFEST.get("repository") != url:
        problems.append(f"`repository` in Cargo.toml is {release.MANIFEST.get('repository')} and not {url}")
    notes = section((release.ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), release.VERSION)
    if notes is None:
        problems.append(f"CHANGELOG.md has no section ## [{release.VERSION}] with text: rename `Unreleased`")
    if problems:
        raise SystemExit("\n".join(f"error: {problem}" for problem in problems))
    print(notes)


if __name__ == "__main__":
    main()
