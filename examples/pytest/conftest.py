"""Fixtures that let the tests of an LLM client use the mock providers of upfault. They need only `upfault` on the PATH.

`upfault` starts the server once for all tests. `upfault.arm` creates a mock that lives as long as the `with` block.
"""

import contextlib
import json
import subprocess
import urllib.request

import pytest


class Mock:
    """A mock provider: `base_url` and `key` for the client, `attempts()` for what arrived."""

    def __init__(self, control, armed):
        self.control = control
        self.id, self.base_url, self.base_urls = armed["id"], armed["base_url"], armed["base_urls"]
        self.key = next(iter(armed["keys"].values()))

    def attempts(self):
        return self.control.call("GET", f"/ledger/{self.id}")["attempts"]


class Control:
    """The control API of `upfault serve`."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"}, method=method)
        # An HTTP proxy of the environment must not see requests to this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as response:
            return json.load(response) if response.status != 204 else None

    @contextlib.contextmanager
    def arm(self, provider, upstream, **more):
        """A mock of a provider that answers its n-th request with the n-th item of `upstream`, and repeats the last one."""
        mock = Mock(self, self.call("POST", "/arm", {"provider": provider, "upstream": upstream, **more}))
        try:
            yield mock
        finally:
            self.call("DELETE", f"/arm/{mock.id}")


@pytest.fixture(scope="session")
def upfault():
    with subprocess.Popen(["upfault", "serve", "--json"], stdout=subprocess.PIPE, text=True) as server:
        yield Control(json.loads(server.stdout.readline())["control_api"])
        server.terminate()
