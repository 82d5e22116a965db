"""Whether an SDK took a value of another type for the right one.

Some SDKs turn `"1"` into 1 while they read, so that validating their objects again shows nothing. The ledger
holds what was sent: where the object has a text and the wire a number, or the other way round, it was bent.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import aws_frames


def bent(value: Any, attempt: dict[str, Any]) -> list[str]:
    """One line for each member of what came back that is of another JSON type than what was sent."""
    wire = list(sent(attempt))
    if not isinstance(value, list):
        return [line for whole in wire[:1] for line in compare(whole, value)]
    lines: list[str] = []
    for event in value:
        # Some events are for the SDK alone (`ping`), and some SDKs wrap theirs in `data`.
        inner = event.get("data", event) if isinstance(event, dict) else event
        twin = next((i for i, one in enumerate(wire) if covers(one, inner)), None)
        if twin is not None:
            lines += compare(wire[twin], inner)
            wire = wire[twin + 1 :]
    return lines


def sent(attempt: dict[str, Any]) -> Iterator[Any]:
    """The JSON values of a body: one, or one for each event or line of a stream."""
    told = attempt["sent"]
    kind = dict(told["headers"]).get("content-type", "")
    if kind == "application/vnd.amazon.eventstream" and told.get("base64"):
        yield from aws_frames.read(b64decode(told["body"]))
        return
    if kind.startswith("application/json"):
        yield json.loads(told["body"])
        return
    for line in told["body"].splitlines():
        text = line.removeprefix("data:").strip()
        if text.startswith(("{", "[")) and text != "[DONE]":
            yield json.loads(text)


def covers(wire: Any, value: Any) -> bool:
    """Whether `value` may be what an SDK made of `wire`: it holds nothing else but for types."""
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
        return [f"{path.rstrip('.')}: {wire!r:.60} was sent, and the SDK made {value!r:.60} of it"]
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
