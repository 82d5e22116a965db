"""Installs the packages in a folder as a user would, and runs them: `python3 packaging/try_packages.py dist [wheel] [archive] [npm]`.

Each package is installed into an empty folder, with an empty home folder and without the Rust toolchain on the PATH, from the
files in the folder alone. It must print its version, and `upfault run` must pass.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import release

# The cases of the run that every package must pass.
FILTER = "smoke/*"


def here():
    """The targets whose program runs on this machine."""
    cpu = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    system = {"Linux": "linux-gnu", "Darwin": "apple-darwin", "Windows": "pc-windows"}[platform.system()]
    # A static program for musl runs on every Linux, but pip and npm choose the one for the C library of the machine.
    if platform.system() == "Linux" and platform.libc_ver()[0] != "glibc":
        system = "linux-musl"
    return lambda target: target["target"].startswith(cpu) and system in target["target"]


class Stage:
    """An empty folder with an empty home folder in it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.home = self.folder / "home"
        self.home.mkdir()
        # What the user has: the system's programs, uv, node. Not cargo.
        path = [entry for entry in os.environ["PATH"].split(os.pathsep) if ".cargo" not in entry]
        kept = ("SYSTEMROOT", "TEMP", "TMP", "LANG", "COMSPEC", "PATHEXT")
        self.variables = {name: value for name, value in os.environ.items() if name.upper() in kept}
        self.variables |= {"HOME": str(self.home), "USERPROFILE": str(self.home), "LOCALAPPDATA": str(self.home)}
        self.variables |= {"APPDATA": str(self.home)}
        self.variables |= {"PATH": os.pathsep.join(path), "CI": "true", "NO_COLOR": "1"}
        # Python is on the machine already; nothing else may come from outside of the folder of packages.
        self.variables |= {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never", "npm_config_offline": "true"}
        self.variables |= {"npm_config_update_notifier": "false", "npm_config_audit": "false", "npm_config_fund": "false"}

    def run(self, *command):
        """Runs a command and returns what it prints on standard output. It must succeed."""
        words = [str(word) for word in command]
        words[0] = shutil.which(words[0], path=self.variables["PATH"]) or words[0]
        ended = subprocess.run(words, cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, text=True, timeout=300)
        if ended.returncode:
            raise SystemExit(f"exit code {ended.returncode}: {' '.join(words)}\n{ended.stdout}")
        return ended.stdout

    def check(self, *program):
        """Checks the program that a command starts."""
        version = self.run(*program, "--version").strip()
        if not version.startswith(f"upfault {release.VERSION}"):
            raise SystemExit(f"`{' '.join(map(str, program))} --version` printed {version!r}")
        said = self.run(*program, "run", "--filter", FILTER)
        counts = re.search(r"^\d+ cases: [1-9]\d* pass(, \d+ skipped)?$", said, re.MULTILINE)
        if counts is None:
            raise SystemExit(f"not every case of {FILTER} passes:\n{said}")
        return f"{version}; {counts[0]}"


def try_wheel(stage, folder, target, wheel):
    return stage.check("uvx", "--quiet", "--from", wheel, "upfault")


def try_archive(stage, folder, target, wheel):
    stem = f"upfault-{target['target']}"
    if "windows" in target["target"]:
        with zipfile.ZipFile(folder / f"{stem}.zip") as archive:
            archive.extractall(stage.folder)
    else:
        with tarfile.open(folder / f"{stem}.tar.gz") as archive:
            archive.extractall(stage.folder, filter="data")
    return stage.check(stage.folder / stem / release.program_name(target))


def try_npm(stage, folder, target, wheel):
    packages = [f"--package={folder / f'{name}-{release.VERSION}.tgz'}" for name in ("upfault", release.npm_name(target))]
    return stage.check("npx", "--yes", *packages, "--", "upfault")


TRIALS = {"wheel": try_wheel, "archive": try_archive, "npm": try_npm}


def wheel_of_this_machine(folder):
    """The target of this machine, and its wheel in a folder."""
    matches = here()
    mine = [(target, wheel) for target, wheel in release.wheels(folder) if matches(target)]
    if len(mine) != 1:
        raise SystemExit(f"{folder} contains {len(mine)} wheels for this machine instead of one")
    return mine[0]


def main():
    folder = Path(sys.argv[1]).resolve()
    mine = wheel_of_this_machine(folder)
    for name in sys.argv[2:] or TRIALS:
        began = time.monotonic()
        # A folder with a space in its name, as users have them.
        with tempfile.TemporaryDirectory(prefix="upfault trial ") as stage:
            said = TRIALS[name](Stage(stage), folder, *mine)
        print(f"{name}: {said} ({time.monotonic() - began:.1f} s)")
    print(f"{len(sys.argv[2:] or TRIALS)} passed, 0 failed")


if __name__ == "__main__":
    main()
