"""`upfault serve`: started, armed, read, ended."""

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
    """A mock of one's own."""

    id: str
    #: What stands before the provider's own path.
    root: str


class Mock:
    """The mock providers, as long as the `with` lasts."""

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
        raise RuntimeError(f"{' '.join(command)} ended with {self.process.wait()} and named no address")

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
        """The root of the mock that always answers so."""
        return f"{self.url}/{provider}/{name}"

    def arm(self, provider: str, turn: dict[str, Any]) -> Armed:
        """A mock of one's own that always plays this turn."""
        reply = self.ask("POST", "/_upfault/arm", {"provider": provider, "upstream": [turn], "ttl": TTL})
        # Below http://HOST:PORT stand the id and the deployment, then the provider's own path.
        return Armed(reply["id"], "/".join(reply["base_url"].split("/")[:5]))

    def attempts(self, id: str) -> list[dict[str, Any]]:
        """What arrived so far, and what was sent."""
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
