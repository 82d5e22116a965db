"""Tests of what a release needs and cannot try before it happens: `python3 packaging/test_release.py`. They need nothing but git's files."""

import fnmatch
import tomllib
import unittest
from pathlib import PurePosixPath

import release


def is_in_context(patterns, path):
    """Whether a `.dockerignore` lets a file through: the last line that matches it, or a folder above it, decides."""
    names = [str(path), *(str(parent) for parent in PurePosixPath(path).parents)]
    let_through = True
    for pattern in patterns:
        is_kept = pattern.startswith("!")
        if any(fnmatch.fnmatch(name, pattern.removeprefix("!")) for name in names if name != "."):
            let_through = is_kept
    return let_through


class Container(unittest.TestCase):
    def test_the_context_contains_every_target_of_cargo(self):
        manifest = tomllib.loads((release.ROOT / "Cargo.toml").read_text(encoding="utf-8"))
        lines = (release.ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        patterns = [line for line in lines if line and not line.startswith("#")]
        folders = {"bin": "src/bin", "example": "examples", "bench": "benches", "test": "tests"}
        checked = []
        for kind, folder in folders.items():
            for target in manifest.get(kind, []):
                path = target.get("path", f"{folder}/{target['name']}.rs")
                self.assertTrue((release.ROOT / path).is_file(), path)
                self.assertTrue(is_in_context(patterns, path), f"cargo in the container needs {path}; .dockerignore excludes it")
                checked.append(path)
        self.assertIn("src/main.rs", checked)
        self.assertFalse(is_in_context(patterns, "docs/ci.md"), "the rest stays outside")


if __name__ == "__main__":
    unittest.main()
