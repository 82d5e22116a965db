"""Tests of what a release needs and cannot try before it happens: `python3 packaging/test_release.py`. They need nothing but a clone."""

import base64
import contextlib
import fnmatch
import hashlib
import io
import json
import os
import re
import subprocess
import tempfile
import tomllib
import unittest
import zipfile
from pathlib import Path, PurePosixPath
from unittest import mock

import packages
import publish
import release
import release_notes
import try_container

SUMS = "00  a.tar.gz\n11  b.whl\n"
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
            Path(folder, "SHA256SUMS").write_text(SUMS, encoding="utf-8")
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
        published = {"gh release view": "false\n", "gh release download": SUMS}
        self.assertEqual(self.uploads("github", published), [])

    def test_a_published_release_with_other_files_is_an_error(self):
        for sums in ({"gh release download": SUMS.replace("00", "22")}, {}):
            with self.assertRaises(SystemExit) as failed:
                self.uploads("github", {"gh release view": "false\n"} | sums)
            self.assertIn("Re-run failed jobs", str(failed.exception))

    def test_npm_gets_the_packages_that_it_lacks_and_the_launcher_last(self):
        first = release.npm_name(release.TARGETS[0])
        for version, is_prerelease in {"3.2.1": False, "3.2.1-rc.1": True}.items():
            with mock.patch("release.VERSION", version):
                lines = self.uploads("npm", {})
                again = self.uploads("npm", {f"npm view {first}@": version, "npm view upfault@": ""})
            self.assertEqual(len(lines), len(release.TARGETS) + 1)
            self.assertTrue(lines[-1].endswith(f"dist/upfault-{version}.tgz"), lines[-1])
            for line in lines:
                # A relative path such as `dist/NAME` would be a repository on GitHub.
                self.assertRegex(line, r"^npm publish .* dist/upfault-\S+\.tgz$")
                self.assertEqual(" --tag next " in line, is_prerelease, line)
            self.assertEqual(again, lines[1:])

    def test_the_crate_is_published_once(self):
        # It compiles nothing: the job has a token, and the job `crate` has compiled the same files.
        self.assertEqual(self.uploads("crates", {}), ["cargo publish --locked --no-verify"])
        self.assertEqual(self.uploads("crates", {"cargo info": "upfault"}), [])

    def test_the_tag_of_the_major_version_is_created_and_moved(self):
        exists = {"gh api repos/Some/Repo/git/ref/tags": "{}"}
        with mock.patch("release.VERSION", "3.10.0"):
            (created,) = self.uploads("major", {"gh release list": "v3.10.0\n"})
            self.assertIn("ref=refs/tags/v3 ", created)
            (moved,) = self.uploads("major", exists | {"gh release list": "v4.0.0\nv3.10.0\nv3.9.2\nv4.1.0-rc.1\n"})
            self.assertIn("PATCH repos/Some/Repo/git/refs/tags/v3 ", moved)

    def test_the_tag_of_the_major_version_never_moves_back(self):
        exists = {"gh api repos/Some/Repo/git/ref/tags": "{}", "gh release list": "v3.10.0\nv3.9.3\n"}
        with mock.patch("release.VERSION", "3.9.3"):
            self.assertEqual(self.uploads("major", exists), [])
            self.assertIn("3.10.0", self.out)
        with mock.patch("release.VERSION", "3.10.0-rc.1"):
            self.assertEqual(self.uploads("major", exists), [])
        with mock.patch("release.VERSION", "3.10.0"), self.assertRaises(SystemExit):
            self.uploads("major", {})

    def test_the_image_has_the_tag_that_the_readme_names(self):
        self.assertEqual(self.uploads("image", {}), [])
        self.assertEqual(self.out, f"name=ghcr.io/some/repo\ntag=ghcr.io/some/repo:{release.VERSION}\nversion={release.VERSION}\n")
        readme = (release.ROOT / "README.md").read_text(encoding="utf-8")
        self.assertRegex(readme, r"`docker run [^`]*\bghcr\.io/[\w.-]+/upfault:VERSION-litellm\b")
        tags = re.findall(r"^ +tags: (\$.*)$", WORKFLOW, re.MULTILINE)
        tag = "${{ steps.image.outputs.tag }}"
        self.assertEqual(tags, [tag, f"{tag}-litellm"])

    def test_only_the_tag_of_a_version_starts_a_release(self):
        (pattern,) = re.findall(r'^ +tags: \["(.*)"\]$', WORKFLOW, re.MULTILINE)
        # GitHub's `+` repeats, its dot is a dot, and its `*` is any text.
        regex = re.compile(pattern.replace(".", r"\.").replace("*", ".*"))
        for tag, starts in {"v0.2.10": True, "v12.3.45": True, "v1.0.0-rc.1": True, "v0": False, "v0.1": False, "v0-x": False}.items():
            self.assertEqual(bool(regex.fullmatch(tag)), starts, tag)

    def test_the_workflow_runs_every_step(self):
        called = re.findall(r"packaging/publish\.py (\w+) dist", WORKFLOW)
        self.assertEqual(called, list(publish.STEPS))

    def test_every_job_that_publishes_waits_for_the_environment(self):
        jobs = re.split(r"^  (?=[\w-]+:$)", WORKFLOW.split("\njobs:\n")[1], flags=re.MULTILINE)
        publishing = [job for job in jobs if re.search(r"publish\.py|pypi-publish|: write$", job, re.MULTILINE)]
        self.assertEqual(len(publishing), 6)
        for job in publishing:
            for line in ("    if: github.ref_type == 'tag'\n", "    environment: release\n", "    permissions:\n"):
                self.assertIn(line, job)


class Versions(unittest.TestCase):
    def test_only_three_kinds_of_prereleases_exist(self):
        self.assertEqual(release.wheel_version("1.0.0-alpha.3"), "1.0.0a3")
        for version in ("1.0", "1.0.0-rc1", "1.0.0-rc", "1.0.0-dev.1", "1.0.0+build", "v1.0.0", "1.0.0-rc.1.2", "01.0.0"):
            with self.assertRaises(SystemExit, msg=version):
                release.wheel_version(version)

    def test_a_release_changes_the_version_in_cargo_toml_only(self):
        version = rf"{re.escape(release.VERSION)}(?![\w.-])"
        # `upfault 1.2.3`, `upfault==1.2.3`, `builtin<br>1.2.3`, `"version": "1.2.3"`. Other programs can have the same version.
        own = re.compile(rf'\b(?:upfault|builtin)(?:\W|<br>){{1,4}}{version}|"version": "{version}'.encode())
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=release.ROOT, check=True, stdout=subprocess.PIPE, text=True)
        files = [name for name in listed.stdout.split("\0") if (release.ROOT / name).is_file()]
        self.assertTrue({"docs/gateways.md", "schema/openapi.json", "tests/cli/matrix.rs"} < set(files), "git lists the files")
        # Snapshots name the version that recorded them. Unit tests use any version as an example.
        kept = re.compile(r"Cargo\.(toml|lock)|CHANGELOG\.md|(snapshots|src)/.*|(.*/)?package-lock\.json")
        found = [name for name in files if not kept.fullmatch(name) and own.search((release.ROOT / name).read_bytes())]
        reason = f"these files contain {release.VERSION}, the version of upfault, and will be wrong after the next release: read it\
 from Cargo.toml, or write VERSION"
        self.assertEqual(found, [], reason)


    def test_every_build_uses_the_same_toolchain(self):
        checks = (release.ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
        named = re.findall(r'(?:RUSTUP_TOOLCHAIN|rust-toolchain): "(.+)"$', WORKFLOW + checks, re.MULTILINE)
        self.assertGreater(len(named), 4)
        self.assertEqual(len(set(named)), 1, named)
        image = re.search(r"^FROM rust:([\d.]+)-", (release.ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1]
        self.assertTrue(f"{named[0]}.".startswith(f"{image}."), f"the image is built with Rust {image}, everything else with {named[0]}")


class Notes(unittest.TestCase):
    """What release_notes.py refuses, in a folder with these files."""

    def problems(self, files, tag="v3.2.1"):
        good = {"README.md": "a", "docs/ci.md": "b", "CHANGELOG.md": "## [3.2.1] - 2026-01-02\n- c\n"}
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "docs").mkdir()
            for name, text in (good | files).items():
                Path(folder, name).write_text(text, encoding="utf-8")
            manifest = {"repository": "https://github.com/me/upfault"}
            patched = mock.patch.multiple(release, ROOT=Path(folder), VERSION="3.2.1", MANIFEST=manifest)
            with patched:
                return release_notes.checked("me/upfault", tag)

    def test_a_release_names_its_owner(self):
        notes, problems = self.problems({})
        self.assertEqual((notes, problems), ("- c", []))
        for name in ("README.md", "docs/ci.md"):
            _, problems = self.problems({name: "uses: OWNER/upfault@v0"})
            self.assertEqual(problems, [f"{name} contains OWNER/: replace it by the owner of the repository"])

    def test_a_dry_run_shows_what_is_unreleased(self):
        unreleased = {"CHANGELOG.md": "## [Unreleased]\n- d\n"}
        notes, problems = self.problems(unreleased)
        self.assertEqual((notes, len(problems)), (None, 1))
        self.assertEqual(self.problems(unreleased, tag=None), ("- d", []))

    def test_links_lead_to_the_files_of_the_tag(self):
        text = "[a](docs/ci.md#cache) [b](https://x.example/) [c](#below) `[d]`"
        url = "https://github.com/me/upfault/blob/v3.2.1/docs/ci.md#cache"
        self.assertEqual(release_notes.absolute(text, "me/upfault", "v3.2.1"), text.replace("docs/ci.md#cache", url))


class Packages(unittest.TestCase):
    def test_a_release_has_a_wheel_for_every_target(self):
        with tempfile.TemporaryDirectory() as folder:
            first, *others = release.TARGETS
            name = f"upfault-{release.wheel_version(release.VERSION)}-py3-none-{first['wheel'].replace('*', '_2_28')}.whl"
            Path(folder, name).write_bytes(b"")
            self.assertEqual(len(release.wheels(folder)), 1)
            with self.assertRaises(SystemExit) as failed:
                release.wheels(folder, complete=True)
            for target in others:
                self.assertIn(target["target"], str(failed.exception))

    def test_the_description_of_a_wheel_has_links_that_work_elsewhere(self):
        with tempfile.TemporaryDirectory() as folder:
            wheel = Path(folder, "a.whl")
            name = "upfault-3.2.1.dist-info"
            with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a/upfault", b"\x7fELF")
                archive.writestr(f"{name}/METADATA", "Name: upfault\n\n[a](docs/ci.md)\n")
                archive.writestr(f"{name}/RECORD", f"a/upfault,sha256=x,4\n{name}/METADATA,sha256=y,1\n{name}/RECORD,,\n")
            packages.with_absolute_links(wheel)
            with zipfile.ZipFile(wheel) as archive:
                described = archive.read(f"{name}/METADATA")
                self.assertRegex(described.decode(), r"^Name: upfault\n\n\[a\]\(https://github\.com/\S+/blob/v\S+/docs/ci\.md\)\n$")
                digest = base64.urlsafe_b64encode(hashlib.sha256(described).digest()).decode().rstrip("=")
                lines = archive.read(f"{name}/RECORD").decode().splitlines()
                self.assertEqual(lines[1], f"{name}/METADATA,sha256={digest},{len(described)}")
                self.assertEqual((lines[0], lines[2], archive.read("a/upfault")), ("a/upfault,sha256=x,4", f"{name}/RECORD,,", b"\x7fELF"))
            before = wheel.read_bytes()
            packages.with_absolute_links(wheel)
            self.assertEqual(wheel.read_bytes(), before)

    def test_an_empty_bill_of_materials_is_an_error(self):
        for components in ([], [{"name": "axum"}]):
            with tempfile.TemporaryDirectory() as folder:
                wheel = Path(folder, "a.whl")
                with zipfile.ZipFile(wheel, "w") as archive:
                    archive.writestr("a.cyclonedx.json", json.dumps({"components": components}))
                if components:
                    self.assertIn(b"axum", release.bill_of_materials(wheel))
                else:
                    self.assertRaises(SystemExit, release.bill_of_materials, wheel)


if __name__ == "__main__":
    unittest.main()
