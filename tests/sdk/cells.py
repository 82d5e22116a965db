"""Loads the tables in expected/ as a list of cells: a call of an SDK, and its expected result."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

import aws_frames

HERE = Path(__file__).parent
TABLES = HERE / "expected"


@dataclass(frozen=True)
class Sdk:
    """An SDK and its settings for the mocks."""

    provider: str
    model: str
    package: str
    node: bool = False

    @property
    def release(self) -> str:
        """The pinned version."""
        if self.node:
            return json.loads((HERE / "package.json").read_text())["dependencies"][self.package]
        return version(self.package)


SDKS: dict[str, Sdk] = {
    "openai-python": Sdk("openai", "gpt-4o-mini", "openai"),
    "openai-node": Sdk("openai", "gpt-4o-mini", "openai", node=True),
    "azure-python": Sdk("azure", "gpt-4o-mini", "openai"),
    "azure-node": Sdk("azure", "gpt-4o-mini", "openai", node=True),
    "anthropic-python": Sdk("anthropic", "claude-sonnet-4-6", "anthropic"),
    "anthropic-node": Sdk("anthropic", "claude-sonnet-4-6", "@anthropic-ai/sdk", node=True),
    "google-python": Sdk("gemini", "gemini-2.5-flash", "google-genai"),
    "google-node": Sdk("gemini", "gemini-2.5-flash", "@google/genai", node=True),
    "boto3": Sdk("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "boto3"),
    "cohere": Sdk("cohere", "command-a-03-2025", "cohere"),
    "mistralai": Sdk("mistral", "mistral-small-latest", "mistralai"),
    "groq": Sdk("groq", "llama-3.3-70b-versatile", "groq"),
    "together": Sdk("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
    "ollama": Sdk("ollama", "llama3.2", "ollama"),
}


@dataclass(frozen=True)
class Outcome:
    """The expected result for the caller: `RateLimitError code=rate_limit_exceeded /3`."""

    result: str
    facts: dict[str, str] = field(default_factory=dict)
    #: The number of requests to the mock; `None` if they are not counted.
    attempts: int | None = None

    @classmethod
    def read(cls, text: str) -> Outcome:
        text, _, attempts = text.partition(" /")
        facts = dict(re.findall(r" (\w+)=(\S*)", text))
        return cls(re.sub(r" \w+=\S*", "", text).strip(), facts, int(attempts) if attempts else None)

    def __str__(self) -> str:
        facts = "".join(f" {name}={value}" for name, value in self.facts.items())
        return f"{self.result}{facts}" + (f" /{self.attempts}" if self.attempts else "")


@dataclass(frozen=True)
class Cell:
    """A call of an SDK, and its expected result."""

    id: str
    table: str
    wire: str
    sdk: str
    call: str
    #: The armed turn, as in a scenario file.
    turn: dict[str, Any]
    expected: Outcome
    #: If set, nothing is armed, and the call uses the base URL `/PROVIDER/NAME` of the catalogue.
    by_url: str | None = None
    timeout: float = 60.0
    retry_attempts: int | None = None
    #: Members that the returned value must contain. The value is then checked against the SDK's types too.
    present: tuple[str, ...] = ()
    #: If reference and mock differ and observed bytes explain it: the result, with `why` as the reason.
    observed: Outcome | None = None
    #: The beginnings of type problems that also occur with the real provider.
    problems: tuple[str, ...] = ()
    why: str = ""
    #: For a control, which is wrong on purpose: the beginning of the line that must report it.
    found: str = ""
    #: If the cell cannot run: the reason.
    not_run: str = ""

    @property
    def provider(self) -> str:
        return SDKS[self.sdk].provider


def load() -> list[Cell]:
    """All cells of all tables, in order."""
    wire = yaml.safe_load((TABLES / "wire.yaml").read_text())
    cells: list[Cell] = []
    for path in sorted(TABLES.glob("[0-9]*.yaml")):
        table = yaml.safe_load(path.read_text())
        for kind, read in (
            ("rows", rows),
            ("errors", catalogue),
            ("success", success),
            ("controls", controls),
        ):
            if kind in table:
                cells += read(table, wire)
    seen: set[str] = set()
    for cell in cells:
        if cell.id in seen:
            raise ValueError(f"two cells are called {cell.id}")
        seen.add(cell.id)
    return cells


def rows(table: dict[str, Any], wire: dict[str, Any]) -> list[Cell]:
    """The cells of a table with a row for each wire and a column for each SDK."""
    cells = []
    for row in table["rows"]:
        if len(row["expect"]) != len(table["columns"]):
            raise ValueError(f"{table['title']}: {row['wire']}: one expectation for each column")
        for sdk, text in zip(table["columns"], row["expect"]):
            if text == "-":
                continue
            provider = SDKS[sdk].provider
            turn = row["turn"] if "turn" in row else row["turns"][provider]
            expected = Outcome.read(text)
            if expected.attempts is None:
                expected = Outcome(expected.result, expected.facts, 1)
            cells.append(
                Cell(
                    id=f"{table['title']} | {row['wire']} | {sdk}",
                    table=table["title"],
                    wire=str(row["wire"]),
                    sdk=sdk,
                    call=row.get("call", table["call"]),
                    turn=spell_out(turn, provider, wire),
                    expected=expected,
                    timeout=float(row.get("timeout", 60)),
                    retry_attempts=table.get("retry_attempts"),
                    **explained(row, sdk),
                )
            )
    return cells


def catalogue(table: dict[str, Any], wire: dict[str, Any]) -> list[Cell]:
    """Every error of a provider with its SDKs: with an armed mock, which counts attempts; some by URL too."""
    cells = []
    for sdk, rule in table["rules"].items():
        provider = SDKS[sdk].provider
        for name, row in table["errors"][provider].items():
            row = row if isinstance(row, dict) else {"status": row}
            status = row["status"]
            result = row.get("class") or rule.get(status) or rule[f"{status // 100}xx"]
            common: dict[str, Any] = {
                "table": table["title"],
                "wire": f"{provider}/{name} ({status})",
                "sdk": sdk,
                "call": "converse" if sdk == "boto3" else "chat",
                "turn": {"error": name},
            } | explained(row, sdk)
            outcome = Outcome.read(result)
            cells.append(Cell(id=f"{table['title']} | {provider}/{name} | {sdk}", expected=outcome, **common))
            if name in table["by_url"]:
                bare = Outcome(outcome.result, outcome.facts)
                cells.append(
                    Cell(
                        id=f"{table['title']} | URL {provider}/{name} | {sdk}",
                        expected=bare,
                        by_url=name,
                        **common,
                    )
                )
    return cells


def success(table: dict[str, Any], wire: dict[str, Any]) -> list[Cell]:
    """A reply of every API with its required members; the simplest ones by URL too."""
    cells = []
    for row in table["success"]:
        reply = row.get("reply", "ok")
        streamed = row["call"].endswith("_stream")
        for sdk in row["sdks"]:
            result = "ends normally" if streamed else "returns normally"
            common: dict[str, Any] = {
                "table": table["title"],
                "wire": f"{row['call']}: {reply}",
                "sdk": sdk,
                "call": row["call"],
                "turn": {"reply": reply},
                "present": tuple(row["present"]),
            } | explained(row, sdk)
            name = f"{row['call']} {reply}"
            cells.append(
                Cell(id=f"{table['title']} | {name} | {sdk}", expected=Outcome(result, attempts=1), **common)
            )
            if row["call"] in ("chat", "converse"):
                at = f"{table['title']} | URL {name} | {sdk}"
                cells.append(Cell(id=at, expected=Outcome(result), by_url=reply, **common))
    return cells


def controls(table: dict[str, Any], wire: dict[str, Any]) -> list[Cell]:
    """Cells that are wrong on purpose. The comparison must report each of them."""
    return [
        Cell(
            id=f"{table['title']} | {row['wire']} | {sdk}",
            table=table["title"],
            wire=row["wire"],
            sdk=sdk,
            call=row["call"],
            turn=spell_out(row["turn"], SDKS[sdk].provider, wire),
            expected=Outcome.read(row["expect"]),
            present=tuple(row.get("present", ())),
            found=row["found"],
        )
        for row in table["controls"]
        for sdk in row["sdks"]
    ]


def explained(row: dict[str, Any], sdk: str) -> dict[str, Any]:
    """The entries of a row for a single SDK: `differs: {SDK: {observed, why}}`, `not_run: {SDK: reason}`."""
    differs = row.get("differs", {}).get(sdk)
    if differs:
        return {
            "observed": Outcome.read(differs["observed"]),
            "problems": tuple(differs.get("problems", ())),
            "why": differs["why"],
        }
    return {"not_run": row.get("not_run", {}).get(sdk, "")}


def spell_out(turn: dict[str, Any], provider: str, wire: dict[str, Any]) -> dict[str, Any]:
    """Replaces the names in a turn (`$own`, `$sse` and so on) by their values."""
    if "aws" in turn:
        return {"status": 200, "headers": aws_frames.HEADERS, "body": aws_frames.body(turn["aws"])}
    turn = dict(turn)
    own = json.loads(json.dumps(wire["own"][provider]).replace('"$status"', str(turn.get("status", 500))))
    headers = turn.get("headers")
    if headers == "$sse":
        turn["headers"] = wire["sse"]
    elif headers and headers.get("retry-after", "").startswith("$date+"):
        date = datetime.now(UTC) + timedelta(seconds=int(headers["retry-after"][6:]))
        turn["headers"] = headers | {"retry-after": format_datetime(date, usegmt=True)}
    body = turn.get("body")
    if body == "$own":
        turn["body"] = own
    elif isinstance(body, str):
        names = {
            "own": json.dumps(own),
            "html": wire["html"],
            "good": wire["good"].get(provider, ""),
            "rest": wire["rest"].get(provider, ""),
            "responses": wire["responses"],
        }
        turn["body"] = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: names[m[1] or m[2]], body)
        if body == "$html":
            turn.setdefault("headers", {"content-type": "text/html"})
    return turn
