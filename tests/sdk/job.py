"""One call of an SDK, and what came of it: what the runners take and give."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Job:
    """A call to be made. Times are in seconds."""

    id: str
    sdk: str
    call: str
    #: The root of the mock provider: what stands before the provider's own path.
    url: str
    model: str
    timeout: float = 60.0
    #: Attempts in all, for the SDKs that retry only when they are asked to.
    retry_attempts: int | None = None
    #: Whether what came back is to be validated and kept.
    strict: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Seen:
    """What the caller of the SDK saw."""

    #: The exception's class, or `returns normally`, or `ends normally` for a stream.
    result: str
    #: What else the tables speak of: `code`, `status`, `message`, `last` (the last event).
    facts: dict[str, str] = field(default_factory=dict)
    #: The exception's text, for the report.
    text: str = ""
    #: What came back, as JSON: a list of events for a stream. Only of a strict job.
    value: Any = None
    #: Where it breaks the SDK's own types. Only of a strict job.
    problems: list[str] = field(default_factory=list)
