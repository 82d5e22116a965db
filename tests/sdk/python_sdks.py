"""Calls the Python SDKs and returns the results for their callers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic_calls
import bedrock_calls
import google_calls
import openai_calls
import other_calls
import strict
from job import Job, Seen

CALLS: dict[str, dict[str, Callable[[Job], Any]]] = {
    "openai-python": openai_calls.CALLS,
    "azure-python": openai_calls.CALLS,
    "groq": openai_calls.CALLS,
    "together": openai_calls.CALLS,
    "anthropic-python": anthropic_calls.CALLS,
    "google-python": google_calls.CALLS,
    "boto3": bedrock_calls.CALLS,
    "cohere": other_calls.COHERE,
    "mistralai": other_calls.MISTRAL,
    "ollama": other_calls.OLLAMA,
}


def perform(job: Job) -> Seen:
    """Makes the call. An exception of the SDK is a result, not a failure of the run."""
    call = CALLS[job.sdk][job.call]
    last: Any = None
    try:
        value = call(job)
        if not isinstance(value, Iterator):
            return kept(job, Seen("returns normally"), value)
        events = []
        for last in value:
            events.append(last)
        return kept(job, Seen("ends normally", {"last": type(last).__name__}), events)
    except Exception as error:
        return Seen(type(error).__name__, facts(error), f"{error}"[:300])


def kept(job: Job, seen: Seen, value: Any) -> Seen:
    if job.strict:
        seen.value = strict.as_json(value)
        seen.problems = bedrock_calls.problems(job, value) if job.sdk == "boto3" else strict.problems(value)
    return seen


def facts(error: Exception) -> dict[str, str]:
    """The facts that the SDK extracted from the response, with the names of the tables."""
    found = {
        "code": getattr(error, "code", None),
        "status": getattr(error, "status_code", None),
        "message": str(error),
    }
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        found["code"] = response.get("Error", {}).get("Code")
        found["message"] = response.get("Error", {}).get("Message", "")
        found["status"] = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return {name: str(value) for name, value in found.items()}
