"""The calls of cohere, mistralai and ollama."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cohere
import ollama
from mistralai.client import Mistral

from job import Job

MESSAGES: Any = [{"role": "user", "content": "Say hi"}]


def cohere_client(job: Job) -> cohere.ClientV2:
    return cohere.ClientV2(api_key="mock", base_url=job.url, timeout=job.timeout)


def cohere_chat(job: Job) -> Any:
    return cohere_client(job).chat(model=job.model, messages=MESSAGES)


def cohere_chat_stream(job: Job) -> Any:
    return iter(cohere_client(job).chat_stream(model=job.model, messages=MESSAGES))


def cohere_embed(job: Job) -> Any:
    return cohere_client(job).embed(
        model="embed-v4.0", texts=["Hi"], input_type="search_query", embedding_types=["float"]
    )


def cohere_rerank(job: Job) -> Any:
    return cohere_client(job).rerank(model="rerank-v3.5", query="hi", documents=["hello", "bye"])


def mistral_client(job: Job) -> Mistral:
    return Mistral(api_key="mock", server_url=job.url, timeout_ms=int(job.timeout * 1000))


def mistral_chat(job: Job) -> Any:
    return mistral_client(job).chat.complete(model=job.model, messages=MESSAGES)


def mistral_chat_stream(job: Job) -> Any:
    mistral = mistral_client(job)
    yield from mistral.chat.stream(model=job.model, messages=MESSAGES)


def ollama_chat(job: Job) -> Any:
    return ollama.Client(host=job.url, timeout=job.timeout).chat(model=job.model, messages=MESSAGES)


def ollama_chat_stream(job: Job) -> Any:
    return iter(
        ollama.Client(host=job.url, timeout=job.timeout).chat(model=job.model, messages=MESSAGES, stream=True)
    )


def ollama_generate(job: Job) -> Any:
    return ollama.Client(host=job.url, timeout=job.timeout).generate(model=job.model, prompt="Say hi")


COHERE: dict[str, Callable[[Job], Any]] = {
    "chat": cohere_chat,
    "chat_stream": cohere_chat_stream,
    "embed": cohere_embed,
    "rerank": cohere_rerank,
}
MISTRAL: dict[str, Callable[[Job], Any]] = {"chat": mistral_chat, "chat_stream": mistral_chat_stream}
OLLAMA: dict[str, Callable[[Job], Any]] = {
    "chat": ollama_chat,
    "chat_stream": ollama_chat_stream,
    "generate": ollama_generate,
}
