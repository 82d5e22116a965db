"""Frames of the AWS event stream: writes them for turns, and reads them from the ledger.

The body of a turn is text, but lengths and checksums of a frame can be any bytes. So each frame gets padding
(`"p"`, which the service sends too, to hide lengths) until all of its bytes are below 0x7f. The result is a valid
frame, and its bytes are the same as text.
"""

from __future__ import annotations

import itertools
import json
import re
import struct
from binascii import crc32
from collections.abc import Iterator
from typing import Any

HEADERS = {"content-type": "application/vnd.amazon.eventstream"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hi"}}),
]


def body(parts: list[Any]) -> str:
    """Concatenates parts: `$good`, `{exception: NAME}`, `{error: CODE}`, `{cut: NAME}` (half of an event),
    `{bad_crc: NAME}` and `{text: …}`."""
    return "".join(map(part, parts))


def part(spec: Any) -> str:
    match spec:
        case "$good":
            return "".join(event(name, payload) for name, payload in GOOD)
        case {"exception": name}:
            headers = {
                ":exception-type": name,
                ":content-type": "application/json",
                ":message-type": "exception",
            }
            return frame(headers, {"message": "the stream failed"})
        case {"error": code}:
            return frame({":error-code": code, ":error-message": "boom", ":message-type": "error"}, {})
        case {"cut": name}:
            whole = event(name, {"stopReason": "end_turn"})
            return whole[: len(whole) // 2]
        case {"bad_crc": name}:
            whole = event(name, {"stopReason": "end_turn"})
            return whole[:-1] + chr(ord(whole[-1]) ^ 1)
        case {"text": text}:
            return text
    raise ValueError(f"no such frame: {spec}")


def event(name: str, payload: dict[str, Any]) -> str:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, payload)


def frame(headers: dict[str, str], payload: dict[str, Any]) -> str:
    head = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + b"\x07"
        + struct.pack("!H", len(value))
        + value.encode()
        for name, value in headers.items()
    )
    for length, count in itertools.product(range(400), range(64)):
        padding = f"{count:02}".ljust(length, "a") if length else ""
        text = json.dumps(payload | ({"p": padding} if padding else {})).encode()
        start = struct.pack("!II", 16 + len(head) + len(text), len(head))
        start += struct.pack("!I", crc32(start))
        if not is_text(start):
            continue
        whole = start + head + text
        whole += struct.pack("!I", crc32(whole))
        if is_text(whole):
            return whole.decode("ascii")
    raise ValueError("no padding turns this frame into text")


def read(data: bytes) -> Iterator[dict[str, Any]]:
    """The events in complete frames, in botocore's form: `{NAME: payload}`."""
    while len(data) >= 16:
        total, head = struct.unpack_from("!II", data)
        headers, payload = data[12 : 12 + head], data[12 + head : total - 4]
        # Name, type 7, length of the value, value.
        if found := re.search(rb":event-type\x07..(\w+)", headers, re.DOTALL):
            # The next header begins with the length of its name, which is not a word character.
            yield {found[1].decode(): json.loads(payload)}
        data = data[total:] if total >= 16 else b""


def is_text(data: bytes) -> bool:
    return all(byte < 0x7F for byte in data)
