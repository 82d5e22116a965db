"""The calls of google-genai."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google import genai
from google.genai import types

from job import Job


def client(job: Job) -> genai.Client:
    retry = None
    if job.retry_attempts is not None:
        retry = types.HttpRetryOptions(attempts=job.retry_attempts, initial_delay=0.1)
    options = types.HttpOptions(base_url=job.url, timeout=int(job.timeout * 1000), retry_options=retry)
    return genai.Client(api_key="mock", vertexai=False, http_options=options)


def chat(job: Job) -> Any:
    # The client closes its connections when it is collected, so it has to outlive the call.
    google = client(job)
    return google.models.generate_content(model=job.model, contents="Say hi")


def chat_stream(job: Job) -> Any:
    google = client(job)
    yield from google.models.generate_content_stream(model=job.model, contents="Say hi")


CALLS: dict[str, Callable[[Job], Any]] = {call.__name__: call for call in (chat, chat_stream)}
