"""Tests of what a release needs and cannot try before it happens: `python3 packaging/test_release.py`. They need nothing but git's files."""

import contextlib
import fnmatch
import io
import os
import re
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path, PurePosixPath
from unittest import mock

import publish
import release
import try_container

WORKFLOW = (release.ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")


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
        self.assertFalse(is_in_context(patterns, "tests/cli.rs"), "the rest stays outside")

    def test_the_small_image_trusts_certificates(self):
        text = (release.ROOT / "Dockerfile").read_text(encoding="utf-8")
        copied = [rest for word, rest in try_container.instructions(text, "upfault") if word == "COPY"]
        self.assertIn("--from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/", copied)


class Publishing(unittest.TestCase):
    """The steps of publish.py, with a function in place of all programs."""

    def uploads(self, step, answers):
        """The commands that a step runs. `answers` maps the beginning of a command to what it prints; others fail, or succeed in
        silence if the step requires it."""
        ran = []

        def run(command, check=False, **_):
            line = " ".join(command)
            if check:
                ran.append(line)
                return subprocess.CompletedProcess(command, 0, "")
            answer = next((text for start, text in answers.items() if line.startswith(start)), None)
            return subprocess.CompletedProcess(command, 1 if answer is None else 0, answer or "")

        environment = {"GITHUB_REPOSITORY": "Some/Repo", "GITHUB_SHA": "abc"}
        with tempfile.TemporaryDirectory() as folder, mock.patch("subprocess.run", run), mock.patch.dict(os.environ, environment):
            Path(folder, "SHA256SUMS").write_text("00  a.tar.gz\n11  b.whl\n", encoding="utf-8")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                publish.STEPS[step](Path(folder))
        self.out = out.getvalue()
        return [line.replace(str(Path(folder).resolve()), "dist").replace(folder, "dist") for line in ran]

    def test_a_release_has_the_files_that_its_checksums_name(self):
        created, uploaded, edited = self.uploads("github", {})
        self.assertIn(" --draft ", created)
        self.assertTrue(uploaded.endswith(" dist/a.tar.gz dist/b.whl dist/SHA256SUMS"), uploaded)
        self.assertTrue(edited.endswith("--draft=false"), edited)

    def test_a_draft_is_completed_and_a_published_release_stays(self):
        self.assertEqual(len(self.uploads("github", {"gh release view": "true\n"})), 2)
        self.assertEqual(self.uploads("github", {"gh release view": "false\n"}), [])

    def test_npm_gets_the_packages_that_it_lacks_and_the_launcher_last(self):
        lines = self.uploads("npm", {})
        self.assertEqual(len(lines), len(release.TARGETS) + 1)
        self.assertTrue(lines[-1].endswith(f"dist/upfault-{release.VERSION}.tgz"), lines[-1])
        for line in lines:
            # A relative path such as `dist/NAME` would be a repository on GitHub.
            self.assertRegex(line, r"^npm publish .* dist/upfault-\S+\.tgz$")
        first = release.npm_name(release.TARGETS[0])
        again = self.uploads("npm", {f"npm view {first}@": release.VERSION, "npm view upfault@": ""})
        self.assertEqual(again, lines[1:])

    def test_the_crate_is_published_once(self):
        self.assertEqual(self.uploads("crates", {}), ["cargo publish --locked"])
        self.assertEqual(self.uploads("crates", {"cargo info": "upfault"}), [])

    def test_the_tag_of_the_major_version_is_created_and_moved(self):
        tag = f"v{release.VERSION.split('.')[0]}"
        (created,) = self.uploads("major", {})
        self.assertIn(f"ref=refs/tags/{tag} ", created)
        (moved,) = self.uploads("major", {"gh api repos/Some/Repo/git/ref/tags": "{}"})
        self.assertIn(f"PATCH repos/Some/Repo/git/refs/tags/{tag} ", moved)
        with mock.patch("release.VERSION", "1.0.0-rc.1"):
            self.assertEqual(self.uploads("major", {}), [])

    def test_the_image_has_the_tag_that_the_readme_names(self):
        self.assertEqual(self.uploads("image", {}), [])
        self.assertEqual(self.out, f"name=ghcr.io/some/repo\ntag=ghcr.io/some/repo:{release.VERSION}\n")
        readme = (release.ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn("`docker run ghcr.io/OWNER/upfault:VERSION-litellm`", readme)
        tags = re.findall(r"^ +tags: (\$.*)$", WORKFLOW, re.MULTILINE)
        tag = "${{ steps.image.outputs.tag }}"
        self.assertEqual(tags, [tag, f"{tag}-litellm"])

    def test_only_the_tag_of_a_version_starts_a_release(self):
        (pattern,) = re.findall(r'^ +tags: \["(.*)"\]$', WORKFLOW, re.MULTILINE)
        # GitHub's `+` repeats, its dot is a dot, and its `*` is any text.
        regex = re.compile(pattern.replace(".", r"\.").replace("*", ".*"))
        for tag, starts in {"v0.1.0": True, "v12.3.45": True, "v1.0.0-rc.1": True, "v0": False, "v0.1": False, "v0-x": False}.items():
            self.assertEqual(bool(regex.fullmatch(tag)), starts, tag)

    def test_the_workflow_runs_every_step(self):
        called = re.findall(r"packaging/publish\.py (\w+) dist", WORKFLOW)
        self.assertEqual(called, list(publish.STEPS))


if __name__ == "__main__":
    unittest.main()
