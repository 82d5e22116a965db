"""The calls of SDKs and their results, as the runners receive and return them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Job:
    """A call of an SDK. Times are in seconds."""

    id: str
    sdk: str
    call: str
    #: The root URL of the mock provider, without the path of the provider's API.
    url: str
    model: str
    timeout: float = 60.0
    #: The total number of attempts, for SDKs that retry only on request.
    retry_attempts: int | None = None
    #: Whether to validate and return the value.
    strict: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Seen:
    """The result for the caller of the SDK."""

    #: The class of the exception, `returns normally`, or `ends normally` for a stream.
    result: str
    #: Other facts that the tables use: `code`, `status`, `message`, `last` (the last event).
    facts: dict[str, str] = field(default_factory=dict)
    #: The text of the exception, for the report.
    text: str = ""
    #: The returned value as JSON; a list of events for a stream. Only for strict jobs.
    value: Any = None
    #: Violations of the SDK's own types. Only for strict jobs.
    problems: list[str] = field(default_factory=list)
