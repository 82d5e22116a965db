"""What the packages have in common: the version, the targets, and the wheels in a folder.

The version is only in Cargo.toml, and the targets are only in targets.json.
"""

import fnmatch
import json
import re
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]
VERSION = MANIFEST["version"]
TARGETS = json.loads((ROOT / "packaging/targets.json").read_text(encoding="utf-8"))


def npm_name(target):
    """The npm package with the program for a target: `upfault-linux-x64-glibc`."""
    return "-".join(["upfault", *target["npm"].values()])


def program_name(target):
    return "upfault.exe" if "windows" in target["target"] else "upfault"


def wheel_version(version):
    """The version as wheels write it (PEP 440).

    >>> wheel_version("1.0.0"), wheel_version("1.0.0-rc.1"), wheel_version("1.0.0-beta.2")
    ('1.0.0', '1.0.0rc1', '1.0.0b2')
    """
    part = r"(?:0|[1-9]\d*)"
    match = re.fullmatch(rf"({part}\.{part}\.{part})(?:-(alpha|beta|rc)\.({part}))?", version)
    if match is None:
        raise SystemExit(f"the version {version} in Cargo.toml is neither X.Y.Z nor X.Y.Z-alpha.N, -beta.N or -rc.N")
    final, kind, number = match.groups()
    return final if kind is None else final + {"alpha": "a", "beta": "b", "rc": "rc"}[kind] + number


def wheels(folder, complete=False):
    """The wheels of this version in a folder, each with its target. Every other wheel there is an error, and if it must be
    complete, so is a target without a wheel."""
    found = []
    for wheel in sorted(Path(folder).glob("*.whl")):
        name, version, *_, platforms = wheel.stem.split("-")
        if (name, version) != ("upfault", wheel_version(VERSION)):
            raise SystemExit(f"{wheel} is not a wheel of upfault {VERSION}: remove it, or build it again")
        targets = [t for t in TARGETS if any(fnmatch.fnmatch(p, t["wheel"]) for p in platforms.split("."))]
        if len(targets) != 1:
            raise SystemExit(f"{wheel}: {len(targets)} targets in packaging/targets.json have this platform")
        found.append((targets[0], wheel))
    if not found:
        raise SystemExit(f"{folder} contains no wheel: run `maturin build --release --out {folder}`")
    missing = [t["target"] for t in TARGETS if all(t is not target for target, _ in found)]
    if complete and missing:
        raise SystemExit(f"{folder} contains no wheel for {', '.join(missing)}")
    return found


def program(target, wheel):
    """The program in a wheel, as bytes."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"upfault-{wheel_version(VERSION)}.data/scripts/{program_name(target)}")


def bill_of_materials(wheel):
    """The CycloneDX document that maturin writes into a wheel, as bytes."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".cyclonedx.json")]
        if len(names) != 1:
            raise SystemExit(f"{wheel} contains {len(names)} CycloneDX documents instead of one")
        materials = archive.read(names[0])
    if not json.loads(materials).get("components"):
        raise SystemExit(f"the CycloneDX document in {wheel} names no components")
    return materials
