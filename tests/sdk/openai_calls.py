"""The calls of openai (with its Azure client), groq and together, whose SDKs have the same interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import groq
import openai
import together

from job import Job

MESSAGES: Any = [{"role": "user", "content": "Say hi"}]


def client(job: Job) -> Any:
    match job.sdk:
        case "openai-python":
            return openai.OpenAI(api_key="sk-mock", base_url=f"{job.url}/v1", timeout=job.timeout)
        case "azure-python":
            return openai.AzureOpenAI(
                api_key="mock", azure_endpoint=job.url, api_version="2024-10-21", timeout=job.timeout
            )
        case "groq":
            return groq.Groq(api_key="gsk_mock", base_url=job.url, timeout=job.timeout)
        case "together":
            return together.Together(api_key="mock", base_url=job.url, timeout=job.timeout)
    raise LookupError(job.sdk)


def chat(job: Job) -> Any:
    return client(job).chat.completions.create(model=job.model, messages=MESSAGES)


def chat_stream(job: Job) -> Any:
    # These two always send usage, and their SDKs do not have this option.
    more: Any = {} if job.sdk in ("groq", "together") else {"stream_options": {"include_usage": True}}
    return iter(client(job).chat.completions.create(model=job.model, messages=MESSAGES, stream=True, **more))


def chat_helper(job: Job) -> Any:
    with client(job).chat.completions.stream(model=job.model, messages=MESSAGES) as stream:
        return stream.get_final_completion()


def responses(job: Job) -> Any:
    return client(job).responses.create(model=job.model, input="Say hi")


def responses_stream(job: Job) -> Any:
    return iter(client(job).responses.create(model=job.model, input="Say hi", stream=True))


def responses_helper(job: Job) -> Any:
    with client(job).responses.stream(model=job.model, input="Say hi") as stream:
        return stream.get_final_response()


def completions(job: Job) -> Any:
    return client(job).completions.create(model=job.model, prompt="Say hi")


def completions_stream(job: Job) -> Any:
    return iter(client(job).completions.create(model=job.model, prompt="Say hi", stream=True))


def embeddings(job: Job) -> Any:
    return client(job).embeddings.create(model=job.model, input="Hi")


def images(job: Job) -> Any:
    return client(job).images.generate(model="gpt-image-1", prompt="A dot")


def speech(job: Job) -> Any:
    audio = client(job).audio.speech.create(model="tts-1", voice="alloy", input="Hi").read()
    return {"bytes": len(audio)} if audio else {}


def transcriptions(job: Job) -> Any:
    sound = ("hi.wav", b"RIFF$\0\0\0WAVEfmt ", "audio/wav")
    return client(job).audio.transcriptions.create(model="whisper-1", file=sound)


def moderations(job: Job) -> Any:
    return client(job).moderations.create(model="omni-moderation-latest", input="Hi")


def models(job: Job) -> Any:
    return client(job).models.list()


def files(job: Job) -> Any:
    return client(job).files.create(file=("batch.jsonl", b"{}\n"), purpose="batch")


def batches(job: Job) -> Any:
    return client(job).batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1"
    )


CALLS: dict[str, Callable[[Job], Any]] = {
    call.__name__: call
    for call in (
        chat, chat_stream, chat_helper, responses, responses_stream, responses_helper, completions,
        completions_stream, embeddings, images, speech, transcriptions, moderations, models, files, batches,
    )
}  # fmt: skip
