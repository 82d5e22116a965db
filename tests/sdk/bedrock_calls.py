"""The calls of boto3's client for bedrock-runtime."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

import strict
from job import Job

CONVERSE: Any = {"messages": [{"role": "user", "content": [{"text": "Say hi"}]}]}
INVOKE = json.dumps(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Say hi"}],
    }
)

#: A session must not create two clients concurrently. The clients are thread-safe.
making = threading.Lock()
session = boto3.Session(aws_access_key_id="AKIAMOCK", aws_secret_access_key="mock", region_name="us-east-1")


def client(job: Job) -> Any:
    config = Config(read_timeout=job.timeout, connect_timeout=job.timeout)
    with making:
        return session.client("bedrock-runtime", endpoint_url=job.url, config=config)


def converse(job: Job) -> Any:
    return client(job).converse(modelId=job.model, **CONVERSE)


def converse_stream(job: Job) -> Any:
    yield from client(job).converse_stream(modelId=job.model, **CONVERSE)["stream"]


def invoke(job: Job) -> Any:
    return json.loads(client(job).invoke_model(modelId=job.model, body=INVOKE)["body"].read())


def invoke_stream(job: Job) -> Any:
    body = client(job).invoke_model_with_response_stream(modelId=job.model, body=INVOKE)["body"]
    for event in body:
        yield json.loads(event["chunk"]["bytes"])


def problems(job: Job, value: Any) -> list[str]:
    """Violations of the service model. The body of invoke has no model."""
    operations = session.client("bedrock-runtime").meta.service_model
    if job.call == "converse":
        return strict.missing(value, operations.operation_model("Converse").output_shape)
    if job.call == "converse_stream":
        stream = operations.operation_model("ConverseStream").output_shape.members["stream"]
        return [line for event in value for line in strict.missing(event, stream)]
    return []


CALLS: dict[str, Callable[[Job], Any]] = {
    call.__name__: call for call in (converse, converse_stream, invoke, invoke_stream)
}
