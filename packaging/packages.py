"""Makes every other package from the wheels in a folder: `python3 packaging/packages.py dist [--all]`.

`--all` fails if a target has no wheel.

Each wheel contains the program of one target; its description gets links that work on PyPI. From it come an archive (for cargo-binstall and for people), the npm package of
that target, and the bill of materials. The launcher for npm and SHA256SUMS come last. The same wheels give the same bytes.
"""

import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import release
import release_notes

# The time of every file in an archive: the earliest one that a ZIP can contain.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_SECONDS = 315532800
DOCUMENTS = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"]


def archive(folder, target, program):
    """Writes `upfault-TARGET.tar.gz`, for Windows `.zip`, with the program and the documents in a folder `upfault-TARGET`."""
    stem = f"upfault-{target['target']}"
    files = [(release.program_name(target), program, 0o755)]
    files += [(name, (release.ROOT / name).read_bytes(), 0o644) for name in DOCUMENTS]
    buffer = io.BytesIO()
    if "windows" in target["target"]:
        path = folder / f"{stem}.zip"
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
            for name, content, _ in files:
                out.writestr(zipfile.ZipInfo(f"{stem}/{name}", EPOCH), content, zipfile.ZIP_DEFLATED)
        path.write_bytes(buffer.getvalue())
        return path
    path = folder / f"{stem}.tar.gz"
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for name, content, mode in files:
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), mode, EPOCH_SECONDS
            out.addfile(entry, io.BytesIO(content))
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return path


def with_absolute_links(wheel):
    """Rewrites a wheel: the links of its description, which is README.md, lead to the files on GitHub, because PyPI does not have them.
    A wheel that has such links already stays as it is."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    contents = {entry.filename: content for entry, content in entries}
    (name,) = [name for name in contents if name.endswith(".dist-info/METADATA")]
    record = name.replace("METADATA", "RECORD")
    head, blank, description = contents[name].decode().partition("\n\n")
    repository = release.MANIFEST["repository"].removeprefix("https://github.com/")
    described = (head + blank + release_notes.absolute(description, repository, f"v{release.VERSION}")).encode()
    if described == contents[name]:
        return
    digest = base64.urlsafe_b64encode(hashlib.sha256(described).digest()).decode().rstrip("=")
    line = f"{name},sha256={digest},{len(described)}"
    contents[record] = re.sub(rf"^{re.escape(name)},.*$", line, contents[record].decode(), flags=re.MULTILINE).encode()
    contents[name] = described
    new = wheel.with_name(f"{wheel.name}.new")
    with zipfile.ZipFile(new, "w") as out:
        for entry, _ in entries:
            out.writestr(entry, contents[entry.filename])
    os.replace(new, wheel)


def npm_package(folder, manifest, files):
    """Packs a folder with a package.json and files (`{name: (bytes, mode)}`) with `npm pack`."""
    with tempfile.TemporaryDirectory() as stage:
        files = {"package.json": (json.dumps(manifest, indent=2).encode() + b"\n", 0o644), **files}
        for name in ["LICENSE-APACHE", "LICENSE-MIT"]:
            files[name] = ((release.ROOT / name).read_bytes(), 0o644)
        for name, (content, mode) in files.items():
            path = Path(stage, name)
            path.write_bytes(content)
            path.chmod(mode)
        npm = ["npm", "pack", "--silent", "--pack-destination", str(folder.resolve())]
        # On Windows, npm is a script.
        packed = subprocess.run(npm, cwd=stage, check=True, stdout=subprocess.PIPE, text=True, shell=os.name == "nt")
        return folder / packed.stdout.strip()


def manifest(name, **more):
    """The members that all npm packages have."""
    package = release.MANIFEST
    common = {"version": release.VERSION, "description": package["description"], "license": package["license"]}
    if "repository" in package:
        common["repository"] = {"type": "git", "url": f"git+{package['repository']}.git"}
    return {"name": name, **common, **more}


def platform_package(folder, target, program):
    """The npm package that contains the program for one target."""
    only = {key: [value] for key, value in target["npm"].items()}
    name = release.npm_name(target)
    readme = f"# {name}\n\nThe program `upfault` for `{target['target']}`. Install the package `upfault` instead.\n"
    files = {release.program_name(target): (program, 0o755), "README.md": (readme.encode(), 0o644)}
    return npm_package(folder, manifest(name, preferUnplugged=True, **only), files)


def launcher(folder):
    """The npm package `upfault`, which chooses the package of the platform. It names all targets, built here or not."""
    here = release.ROOT / "packaging/npm"
    names = {"-".join(target["npm"].values()): release.npm_name(target) for target in release.TARGETS}
    described = manifest(
        "upfault",
        keywords=release.MANIFEST["keywords"],
        bin={"upfault": "upfault.js"},
        engines={"node": ">=18"},
        optionalDependencies={name: release.VERSION for name in names.values()},
    )
    files = {
        "upfault.js": ((here / "upfault.js").read_bytes(), 0o755),
        "packages.json": (json.dumps(names, indent=2).encode() + b"\n", 0o644),
        "README.md": ((here / "README.md").read_bytes(), 0o644),
    }
    return npm_package(folder, described, files)


def main():
    arguments = argparse.ArgumentParser(description="Makes every other package from the wheels in a folder.")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--all", action="store_true", help="fail if a target has no wheel")
    arguments = arguments.parse_args()
    folder = arguments.folder
    made = []
    for target, wheel in release.wheels(folder, complete=arguments.all):
        with_absolute_links(wheel)
        program = release.program(target, wheel)
        materials = folder / f"upfault-{target['target']}.cyclonedx.json"
        materials.write_bytes(release.bill_of_materials(wheel))
        made += [wheel, archive(folder, target, program), materials, platform_package(folder, target, program)]
    made.append(launcher(folder))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(made)]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    for path in made:
        print(f"{path.stat().st_size:>10}  {path}")


if __name__ == "__main__":
    main()
