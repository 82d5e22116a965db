"""A test suite in Python: it arms a mock of `upfault serve`, calls it, reads its ledger and disarms it.

UPFAULT_URL is the address that `upfault serve` printed.
"""

import os

import httpx
import pytest

TURNS = {"provider": "openai", "upstream": [{"error": "rate_limit"}, {"reply": "ok"}], "ttl": "60s"}


@pytest.fixture
def control():
    with httpx.Client(base_url=os.environ["UPFAULT_URL"]) as control:
        yield control


@pytest.fixture
def mock(control):
    armed = control.post("/_upfault/arm", json=TURNS).raise_for_status().json()
    yield armed
    control.delete(f"/_upfault/arm/{armed['id']}").raise_for_status()


def test_the_second_attempt_succeeds(control, mock):
    def call():
        headers = {"authorization": f"Bearer {mock['keys']['primary']}"}
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        return httpx.post(f"{mock['base_url']}/chat/completions", headers=headers, json=body)

    assert [call().status_code, call().status_code] == [429, 200]
    ledger = control.get(f"/_upfault/ledger/{mock['id']}").json()
    assert [attempt["sent"]["status"] for attempt in ledger["attempts"]] == [429, 200]
