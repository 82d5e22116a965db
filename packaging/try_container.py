"""Tries the Dockerfile: `python3 packaging/try_container.py UPFAULT STAGE`, where STAGE is `upfault` or `litellm`.

If a container engine runs here, it builds the stage and runs the suite in it. Otherwise the ENV and RUN lines of the stage, and of
those that it is built from, run in a shell, with a temporary folder in place of `/cache`, `/tmp` and `/project`. That proves the
commands, but neither the base images nor the permissions.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import release

# The folders of the image that the steps use.
FOLDERS = ("/cache", "/tmp", "/project")


def stages(text):
    """The instructions of each stage, as (name, parent, [(word, rest)])."""
    text = re.sub(r"\\\n", " ", text)
    found = []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            parent, _, name = rest.partition(" AS ")
            found.append((name, parent, []))
        elif word and not word.startswith("#") and found:
            found[-1][2].append((word, rest))
    return found


def instructions(text, stage):
    """The instructions of a stage, after those of the stages that it is built from."""
    by_name = {name: (parent, steps) for name, parent, steps in stages(text)}
    steps = []
    while stage in by_name:
        parent, own = by_name[stage]
        steps, stage = own + steps, parent
    return steps


def in_a_shell(steps, program, folder):
    """Runs ENV, RUN and the last CMD."""
    bin_folder = Path(folder, "bin")
    bin_folder.mkdir()
    (bin_folder / "upfault").symlink_to(Path(program).resolve())
    variables = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "CI": "true", "NO_COLOR": "1"}
    for path in FOLDERS:
        Path(folder + path).mkdir()
    inside = lambda text: re.sub(rf"(?<![\w.])({'|'.join(FOLDERS)})\b", lambda match: folder + match[1], text)
    command = None
    for word, rest in steps:
        if word == "ENV":
            variables |= dict(pair.split("=", 1) for pair in inside(rest).split())
        elif word == "RUN":
            print(f"RUN {rest}", flush=True)
            subprocess.run(["sh", "-euc", inside(rest)], check=True, env=variables, cwd=folder + "/project")
        elif word == "CMD":
            command = re.findall(r'"([^"]*)"', rest)
    # A run of the whole suite takes minutes.
    words = ["upfault", *command, "--filter", "smoke/*"]
    print(" ".join(words), flush=True)
    subprocess.run(words, check=True, env=variables, cwd=folder + "/project")


def main():
    program, stage = sys.argv[1:]
    engine = subprocess.run(["docker", "info"], capture_output=True, check=False) if has_docker() else None
    if engine and engine.returncode == 0:
        tag = f"upfault-trial-{stage}"
        subprocess.run(["docker", "build", "--target", stage, "--tag", tag, release.ROOT], check=True)
        subprocess.run(["docker", "run", "--rm", tag, "run", "--filter", "smoke/*"], check=True)
        print(f"1 passed, 0 failed: the image of the stage {stage}")
        return
    text = (release.ROOT / "Dockerfile").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="upfault-container-") as folder:
        in_a_shell(instructions(text, stage), program, folder)
    print(f"1 passed, 0 failed: the steps of the stage {stage}, without a container engine")


def has_docker():
    return any(Path(folder, "docker").is_file() for folder in os.environ["PATH"].split(os.pathsep))


if __name__ == "__main__":
    main()
