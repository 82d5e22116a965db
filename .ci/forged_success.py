"""Exits 0 if a report shows a new finding of stream.no-forged-success in a cut or broken stream."""

import json
import sys

RULE = "stream.no-forged-success"
FOLDER = "connection/"


def is_new(case):
    """Whether the case breaks the rule and the accepted snapshot does not contain that finding."""
    if case["verdict"] not in ("fail", "changed"):
        return False
    if not any(finding["rule"] == RULE for finding in case["findings"]):
        return False
    change = case.get("change")
    return change is None or RULE in change["new_findings"]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    found = [case["id"] for case in report["cases"] if case["id"].startswith(FOLDER) and is_new(case)]
    if not found:
        broken = sorted({finding["rule"] for case in report["cases"] for finding in case["findings"]})
        sys.exit(f"no new {RULE} below {FOLDER}; rules broken: {', '.join(broken) or 'none'}")
    print(f"{len(found)} cases show a new {RULE}:")
    for case in found:
        print(f"  {case}")


if __name__ == "__main__":
    main()
