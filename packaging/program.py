"""Takes the program for this machine out of its wheel: `python3 packaging/program.py dist PATH`."""

import os
import sys
from pathlib import Path

import release
import try_packages


def main():
    folder, path = map(Path, sys.argv[1:])
    target, wheel = try_packages.wheel_of_this_machine(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file at PATH can be a hard link to a file of cargo, which must not change.
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(release.program(target, wheel))
    new.chmod(0o755)
    os.replace(new, path)


if __name__ == "__main__":
    main()
