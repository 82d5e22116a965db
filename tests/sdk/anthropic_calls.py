"""The calls of anthropic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic

from job import Job

ASK: Any = {"max_tokens": 64, "messages": [{"role": "user", "content": "Say hi"}]}


def client(job: Job) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="sk-ant-mock", base_url=job.url, timeout=job.timeout)


def chat(job: Job) -> Any:
    return client(job).messages.create(model=job.model, **ASK)


def chat_stream(job: Job) -> Any:
    return iter(client(job).messages.create(model=job.model, stream=True, **ASK))


def chat_helper(job: Job) -> Any:
    with client(job).messages.stream(model=job.model, **ASK) as stream:
        return stream.get_final_message()


def count_tokens(job: Job) -> Any:
    return client(job).messages.count_tokens(model=job.model, messages=ASK["messages"])


CALLS: dict[str, Callable[[Job], Any]] = {
    call.__name__: call for call in (chat, chat_stream, chat_helper, count_tokens)
}
