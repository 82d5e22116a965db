"""Whether what an SDK gave back keeps to that SDK's own types.

Most SDKs build their objects without validation, so that a reply of the wrong shape passes unseen.
Here each is validated again, strictly: no member that is required may be missing, no value of
another type is taken for the right one.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError

#: What botocore makes of the types of a service model.
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
    """One line for each place where a pydantic object breaks its own class."""
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
    """What came over the wire, as far as the object still shows it."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    return value


def missing(value: Any, shape: Any, path: str = "") -> list[str]:
    """What a shape of botocore's service model requires and `value` lacks, and what is of another type."""
    kind = shape.type_name
    if kind in TYPES and not isinstance(value, TYPES[kind]):
        return [f"{path.rstrip('.')}: no {kind} (got {value!r:.60})"]
    if kind == "structure" and isinstance(value, dict):
        lines = [
            f"{path}{name}: required, and missing" for name in shape.required_members if name not in value
        ]
        for name, member in shape.members.items():
            if name in value:
                lines += missing(value[name], member, f"{path}{name}.")
        return lines
    if kind == "list" and isinstance(value, list):
        return [line for i, item in enumerate(value) for line in missing(item, shape.member, f"{path}{i}.")]
    return []
