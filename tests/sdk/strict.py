"""Checks whether a value that an SDK returned matches that SDK's own types.

Most SDKs build their objects without validation, so that a reply with a wrong structure causes no error. This
module validates each object strictly: required members must be present, and types are not converted.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError

#: The Python types that botocore uses for the types of a service model.
TYPES: dict[str, Any] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "blob": bytes,
}


def problems(value: Any) -> list[str]:
    """One line for each violation of its class by a pydantic object."""
    if isinstance(value, list):
        return [line for item in value for line in problems(item)]
    if not isinstance(value, BaseModel):
        return []
    kind = type(value)
    try:
        kind.model_validate_json(json.dumps(as_json(value)), strict=True)
    except ValidationError as error:
        return [
            f"{kind.__name__}.{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r:.80})"
            for e in error.errors()
        ]
    return []


def as_json(value: Any) -> Any:
    """The received JSON, as far as the object contains it."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    return value


def missing(value: Any, shape: Any, path: str = "") -> list[str]:
    """One line for each required member of a botocore shape that `value` lacks, and for each wrong type."""
    kind = shape.type_name
    if kind in TYPES and not isinstance(value, TYPES[kind]):
        return [f"{path.rstrip('.')}: expected {kind}, got {value!r:.60}"]
    if kind == "structure" and isinstance(value, dict):
        lines = [
            f"{path}{name}: required, but missing" for name in shape.required_members if name not in value
        ]
        for name, member in shape.members.items():
            if name in value:
                lines += missing(value[name], member, f"{path}{name}.")
        return lines
    if kind == "list" and isinstance(value, list):
        return [line for i, item in enumerate(value) for line in missing(item, shape.member, f"{path}{i}.")]
    return []
