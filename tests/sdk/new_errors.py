"""Lists error types in the official SDKs that the catalogue of the mocks does not contain: `python new_errors.py FOLDER`.

FOLDER is the site-packages of an environment with the newest releases of the SDKs (`just new-errors` makes one). The SDKs are read
and not imported. A word counts as known if the provider's file in src/provider/profiles contains it, or if errors_not_played.json
says why no mock sends it. The exit code is 1 if a word is new.
"""

import ast
import gzip
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROFILES = HERE.parent.parent / "src/provider/profiles"

# Members of a type whose values are words of an error.
MEMBERS = {"type", "code", "error_code"}

# Parts of paths that are about other things than a call of a model: administration, agents, results of tools.
ELSEWHERE = ("beta", "organization", "sessions", "environments", "batch", "tool_result", "tool_error", "mcp", "steer", "oauth")


def literals(node):
    """The texts of every `Literal[…]` in an annotation."""
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and getattr(part.value, "id", getattr(part.value, "attr", "")) == "Literal":
            for value in ast.walk(part.slice):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def typed(folder, package):
    """The words of the types whose name says that they are errors: `{word: place}`."""
    found = {}
    paths = (folder / package / "types").rglob("*error*.py")
    for path in sorted(path for path in paths if not any(part in str(path.relative_to(folder)) for part in ELSEWHERE)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(folder)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ClassDef) and "Error" in node.name:
                for item in node.body:
                    if isinstance(item, ast.AnnAssign) and getattr(item.target, "id", "") in MEMBERS:
                        found |= {word: place for word in literals(item.annotation) if word != "error"}
            elif isinstance(node, ast.AnnAssign) and "Error" in getattr(node.target, "id", "") and node.value:
                found |= {word: place for word in literals(node.value)}
    return found


def modelled(folder, service):
    """The exceptions of a service of AWS: `{name: place}`."""
    model = sorted((folder / "botocore/data" / service).glob("*/service-2.json*"))[-1]
    text = gzip.decompress(model.read_bytes()) if model.suffix == ".gz" else model.read_bytes()
    shapes = json.loads(text)["shapes"]
    place = str(model.relative_to(folder))
    return {name: place for name, shape in shapes.items() if shape.get("exception")}


def statuses(folder, package):
    """The statuses for which an SDK has an exception: `{"404": place}`."""
    found = {}
    for path in sorted((folder / package / "errors").glob("*.py")):
        for status in re.findall(r"status_code=(\d{3})", path.read_text(encoding="utf-8")):
            found[status] = str(path.relative_to(folder))
    return found


# The provider, the distribution that is its SDK, and how to read its errors.
SDKS = [
    ("openai", "openai", lambda folder: typed(folder, "openai")),
    ("anthropic", "anthropic", lambda folder: typed(folder, "anthropic")),
    ("bedrock", "botocore", lambda folder: modelled(folder, "bedrock-runtime")),
    ("cohere", "cohere", lambda folder: statuses(folder, "cohere")),
]


def version(folder, distribution):
    found = sorted(folder.glob(f"{distribution}-*.dist-info"))
    if len(found) != 1:
        raise SystemExit(f"{folder} contains {len(found)} versions of {distribution} instead of one")
    return found[0].name.removesuffix(".dist-info").split("-", 1)[1]


def main():
    folder = Path(sys.argv[1]).resolve()
    not_played = json.loads((HERE / "errors_not_played.json").read_text(encoding="utf-8"))
    new = 0
    for provider, distribution, read in SDKS:
        words = read(folder)
        if not words:
            raise SystemExit(f"{distribution} {version(folder, distribution)} has no errors where this script looks: adapt it")
        catalogue = (PROFILES / f"{provider}.yaml").read_text(encoding="utf-8")
        reasons = {word for entry in not_played if entry["provider"] == provider for word in entry["words"]}
        missing = {word: place for word, place in words.items() if not re.search(rf"\b{re.escape(word)}\b", catalogue)}
        unknown = {word: place for word, place in missing.items() if word not in reasons}
        new += len(unknown)
        print(f"{distribution} {version(folder, distribution)}: {len(words)} errors, {len(words) - len(missing)} in the catalogue, "
              f"{len(missing) - len(unknown)} with a reason, {len(unknown)} new")
        for word, place in sorted(unknown.items()):
            print(f"  {word}  ({place})")
        for word in sorted(reasons - set(missing)):
            where = "the catalogue contains it" if word in words else "the SDK no longer contains it"
            print(f"  remove {word} from errors_not_played.json: {where}")
    sys.exit(1 if new else 0)


if __name__ == "__main__":
    main()
