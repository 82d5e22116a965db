"""Compares, counts and prints the results of the cells."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import coerced
from cells import SDKS, Cell, Outcome
from job import Seen


class Verdict(Enum):
    AGREES = "agree"
    EXPLAINED = "explained"
    DIFFERS = "differ"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Judged:
    """A cell and its result."""

    cell: Cell
    verdict: Verdict
    seen: Seen | None = None
    #: The attempts in the ledger; empty if attempts are not counted.
    attempts: tuple[dict[str, Any], ...] = ()
    reasons: tuple[str, ...] = ()


def judge(cell: Cell, seen: Seen, attempts: list[dict[str, Any]] | None) -> Judged:
    """Compares the result with the expected one, and with the explained difference."""
    reasons = differences(cell, cell.expected, seen, attempts, ())
    if cell.found:
        missed = not any(reason.startswith(cell.found) for reason in reasons)
        reasons = [f"no line begins with `{cell.found}`", *reasons] if missed else []
    verdict = Verdict.AGREES if not reasons else Verdict.DIFFERS
    if cell.observed is not None:
        if not reasons:
            reasons = ["the explained difference no longer occurs: remove `differs` from the table"]
            verdict = Verdict.DIFFERS
        elif not differences(cell, cell.observed, seen, attempts, cell.problems):
            verdict = Verdict.EXPLAINED
    return Judged(cell, verdict, seen, tuple(attempts or ()), tuple(reasons))


def differences(
    cell: Cell,
    expected: Outcome,
    seen: Seen,
    attempts: list[dict[str, Any]] | None,
    known: tuple[str, ...],
) -> list[str]:
    """The differences, one per line, without type problems that begin with one of `known`."""
    lines = []
    if seen.result != expected.result:
        lines.append(f"expected {expected.result}, got {seen.result}")
    for name, value in expected.facts.items():
        if seen.facts.get(name) != value:
            lines.append(f"expected {name}={value}, got {seen.facts.get(name)!r}")
    if attempts is not None and expected.attempts is not None and len(attempts) != expected.attempts:
        lines.append(f"expected {expected.attempts} attempts, got {len(attempts)}")
    if not lines:
        lines += [line for line in seen.problems if not line.startswith(known)][:10]
        if cell.present and attempts and not SDKS[cell.sdk].node:
            lines += coerced.converted(seen.value, attempts[-1])
        lines += [f"`{path}` is missing" for path in cell.present if not present(seen.value, path)]
    return lines


def present(value: Any, path: str) -> bool:
    """Whether the value, or one event of a list, has a member that is not null."""
    if isinstance(value, list):
        return any(present(event, path) for event in value)
    return any(member(value, way.split(".")) is not None for way in path.split("|"))


def member(value: Any, path: list[str]) -> Any:
    for name in path:
        if isinstance(value, list):
            value = value[int(name)] if name.isdigit() and int(name) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(name)
        else:
            return None
    return value


def table(judged: list[Judged]) -> str:
    """A table with a row for each SDK: its release and the numbers of its cells."""
    lines = [("SDK", "release", "cells run", "agree", "explained", "differ", "not run")]
    for name in [*SDKS, "all"]:
        mine = [item for item in judged if name in (item.cell.sdk, "all")]
        if not mine:
            continue
        release = SDKS[name].release if name in SDKS else ""
        count = {verdict: sum(item.verdict is verdict for item in mine) for verdict in Verdict}
        run = len(mine) - count[Verdict.NOT_RUN]
        lines.append((name, release, str(run), *(str(count[verdict]) for verdict in Verdict)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    drawn = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    return "\n".join([drawn[0], rule, *drawn[1:]])


def details(judged: list[Judged]) -> str:
    """The cells that are not as expected. Those without an explanation come last, in full."""
    parts = []
    for item in judged:
        if item.verdict is Verdict.NOT_RUN:
            parts.append(f"not run: {item.cell.id}\n  {item.cell.not_run}")
    for item in judged:
        if item.verdict is Verdict.EXPLAINED:
            parts.append(
                f"explained: {item.cell.id}\n  reference {item.cell.expected}, here {here(item.cell)}\n  {item.cell.why}"
            )
    parts += [differing(item) for item in judged if item.verdict is Verdict.DIFFERS]
    return "\n\n".join(parts)


def here(cell: Cell) -> str:
    """The observed result, in place of the one in the reference."""
    return f"{cell.observed}" + (f" with a wrong {', '.join(cell.problems)}" if cell.problems else "")


def differing(item: Judged) -> str:
    lines = [f"DIFFERS: {item.cell.id}"]
    lines += [f"  {reason}" for reason in item.reasons]
    if item.seen and item.seen.text:
        lines.append(f"  error:   {item.seen.text!r}")
    if item.attempts:
        lines.append("  request: " + " ".join(str(item.attempts[-1].get(k)) for k in ("method", "path")))
        lines.append("  sent:    " + json.dumps(item.attempts[-1].get("sent"), ensure_ascii=False)[:1500])
    else:
        lines.append(f"  turn:    {json.dumps(item.cell.turn, ensure_ascii=False)}")
        if item.seen and item.seen.value is not None:
            lines.append(f"  value:   {json.dumps(item.seen.value, ensure_ascii=False, default=str)[:1500]}")
    return "\n".join(lines)
