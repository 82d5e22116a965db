"""Frames of the AWS event stream: such as a turn can spell out, and what the ledger holds of them.

A turn's body is text, and a frame is not: its lengths and checksums are any bytes. So each frame is
padded (`"p"`, which the service sends too, against guesses by length) until all of its bytes are
below 0x7f. What comes out is a real frame, and as text it is the same bytes.
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
    """`$good`, `{exception: NAME}`, `{error: CODE}`, `{cut: NAME}` (half of an event), `{bad_crc: NAME}`, `{text: …}`, one after another."""
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
    raise ValueError("no padding makes this frame text")


def read(data: bytes) -> Iterator[dict[str, Any]]:
    """The events in whole frames, as botocore has them: `{NAME: payload}`."""
    while len(data) >= 16:
        total, head = struct.unpack_from("!II", data)
        headers, payload = data[12 : 12 + head], data[12 + head : total - 4]
        # Name, type 7, length of the value, value.
        if found := re.search(rb":event-type\x07..(\w+)", headers, re.DOTALL):
            # The header that follows begins with the length of its name, which is no letter.
            yield {found[1].decode(): json.loads(payload)}
        data = data[total:] if total >= 16 else b""


def is_text(data: bytes) -> bool:
    return all(byte < 0x7F for byte in data)
