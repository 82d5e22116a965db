"""Starts, controls and stops `upfault serve`."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

TTL = "300s"


@dataclass(frozen=True)
class Armed:
    """An armed mock."""

    id: str
    #: The root URL, without the path of the provider's API.
    root: str


class Mock:
    """The mock providers, which run inside the `with` block."""

    def __init__(self, binary: str) -> None:
        self.binary = binary

    def __enter__(self) -> Mock:
        command = [self.binary, "serve", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.search(r"http://[\w.]+:\d+", line):
                self.url = found[0]
                return self
        raise RuntimeError(f"{' '.join(command)} exited with {self.process.wait()} and printed no address")

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def catalogue(self, provider: str, name: str) -> str:
        """The root URL of the mock that always sends this reply of the catalogue."""
        return f"{self.url}/{provider}/{name}"

    def arm(self, provider: str, turn: dict[str, Any]) -> Armed:
        """Arms a mock that always plays this turn."""
        reply = self.ask("POST", "/_upfault/arm", {"provider": provider, "upstream": [turn], "ttl": TTL})
        # After http://HOST:PORT come the id and the deployment, then the path of the provider's API.
        return Armed(reply["id"], "/".join(reply["base_url"].split("/")[:5]))

    def attempts(self, id: str) -> list[dict[str, Any]]:
        """The attempts so far: requests and replies."""
        return self.ask("GET", f"/_upfault/ledger/{id}")["attempts"]

    def disarm(self, id: str) -> None:
        self.ask("DELETE", f"/_upfault/arm/{id}")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(
                f"{method} {path}: {error.code} {error.read().decode()}\nsent: {data!r}"
            ) from error
        return json.loads(text) if text else None
