"""Checks whether an SDK converted values of a wrong type.

Some SDKs turn `"1"` into 1 when they parse, so that validating their objects shows nothing. This module compares
the object with the reply in the ledger: if one contains a string and the other a number, the SDK converted it.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import aws_frames


def converted(value: Any, attempt: dict[str, Any]) -> list[str]:
    """One line for each returned member whose JSON type differs from the one that was sent."""
    wire = list(sent(attempt))
    if not isinstance(value, list):
        return [line for whole in wire[:1] for line in compare(whole, value)]
    lines: list[str] = []
    for event in value:
        # SDKs hide some events (`ping`), and some SDKs wrap events in `data`.
        inner = event.get("data", event) if isinstance(event, dict) else event
        twin = next((i for i, one in enumerate(wire) if covers(one, inner)), None)
        if twin is not None:
            lines += compare(wire[twin], inner)
            wire = wire[twin + 1 :]
    return lines


def sent(attempt: dict[str, Any]) -> Iterator[Any]:
    """The JSON values of a sent body: a single one, or one for each event or line of a stream."""
    reply = attempt["sent"]
    kind = dict(reply["headers"]).get("content-type", "")
    if kind == "application/vnd.amazon.eventstream" and reply.get("base64"):
        yield from aws_frames.read(b64decode(reply["body"]))
        return
    if kind.startswith("application/json"):
        yield json.loads(reply["body"])
        return
    for line in reply["body"].splitlines():
        text = line.removeprefix("data:").strip()
        if text.startswith(("{", "[")) and text != "[DONE]":
            yield json.loads(text)


def covers(wire: Any, value: Any) -> bool:
    """Whether an SDK may have made `value` from `wire`: both have the same content, apart from types."""
    if isinstance(value, dict) and isinstance(wire, dict):
        return all(covers(wire[name], inner) for name, inner in value.items() if name in wire)
    if isinstance(value, list) and isinstance(wire, list):
        return len(wire) == len(value) and all(map(covers, wire, value))
    return isinstance(value, dict | list) or isinstance(wire, dict | list) or str(wire) == str(value)


def compare(wire: Any, value: Any, path: str = "") -> list[str]:
    if isinstance(wire, dict) and isinstance(value, dict):
        shared = [name for name in value if name in wire]
        return [line for name in shared for line in compare(wire[name], value[name], f"{path}{name}.")]
    if isinstance(wire, list) and isinstance(value, list):
        pairs = enumerate(zip(wire, value, strict=False))
        return [line for i, (one, other) in pairs for line in compare(one, other, f"{path}{i}.")]
    if kind(wire) != kind(value) and {"text", "number", "truth"} >= {kind(wire), kind(value)}:
        return [f"{path.rstrip('.')}: {wire!r:.60} was sent, but the SDK returned {value!r:.60}"]
    return []


def kind(value: Any) -> str:
    match value:
        case bool():
            return "truth"
        case int() | float():
            return "number"
        case str():
            return "text"
    return "other"
