"""Tests of a client: what the SDKs of OpenAI and Anthropic do when the provider fails."""

import anthropic
import openai
import pytest

MESSAGES = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def rate_limited(upfault):
    with upfault.arm("openai", [{"error": "rate_limit", "headers": {"retry-after": "0"}}, {"reply": "ok"}]) as mock:
        yield mock


@pytest.fixture
def overloaded(upfault):
    with upfault.arm("anthropic", [{"error": "overloaded"}]) as mock:
        yield mock


@pytest.fixture
def cut(upfault):
    with upfault.arm("openai", [{"reply": {"chunks": 20}, "faults": [{"reset": {"at": {"after_events": 5}}}]}]) as mock:
        yield mock


def test_a_rate_limit_is_retried(rate_limited):
    client = openai.OpenAI(base_url=rate_limited.base_url, api_key=rate_limited.key, max_retries=1)
    assert client.chat.completions.create(model="m", messages=MESSAGES).choices[0].finish_reason == "stop"
    assert [attempt["sent"]["status"] for attempt in rate_limited.attempts()] == [429, 200]


def test_an_overloaded_provider_is_an_error(overloaded):
    client = anthropic.Anthropic(base_url=overloaded.base_url, api_key=overloaded.key, max_retries=0)
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(model="m", max_tokens=10, messages=MESSAGES)
    assert raised.value.status_code == 529
    assert raised.value.body["error"]["type"] == "overloaded_error"


def test_a_stream_that_breaks_off_is_an_error(cut):
    client = openai.OpenAI(base_url=cut.base_url, api_key=cut.key, max_retries=0)
    pieces = []
    with pytest.raises(Exception) as raised:
        for chunk in client.chat.completions.create(model="m", messages=MESSAGES, stream=True):
            pieces += [choice.delta.content for choice in chunk.choices]
    assert pieces, "some of the stream arrived"
    assert "reset" in repr(raised.value).lower() or "read" in repr(raised.value).lower(), raised.value
    assert len(cut.attempts()) == 1, "the SDK does not repeat a stream that has begun"
