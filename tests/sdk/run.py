"""Runs the official SDKs against the mock providers, to check that the mocks fail as the providers do.

    python tests/sdk/run.py UPFAULT [--node NODE] [--only TEXT]

Starts `UPFAULT serve`, makes all calls of the tables in expected/ concurrently, and compares the results.
Exits with 1 if a cell differs without an explanation.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cells
import report
from cells import SDKS, Cell
from job import Job, Seen
from mocks import Armed, Mock

HERE = Path(__file__).parent
#: Calls mostly wait: for a retry, or for a mock that does not respond.
THREADS = 128
#: The limit of the run in seconds, in case a call hangs. A normal run is much faster.
LIMIT = 240


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("upfault", help="the binary")
    arguments.add_argument("--node", default="node")
    arguments.add_argument("--only", default="", help="cells with this text in their id")
    given = arguments.parse_args()
    began = time.monotonic()
    quiet_environment()

    wanted = [cell for cell in cells.load() if given.only in cell.id]
    runnable = [cell for cell in wanted if not cell.not_run]
    with Mock(given.upfault) as mock, watchdog(mock):
        armed = {cell.id: mock.arm(cell.provider, cell.turn) for cell in runnable if not cell.by_url}
        seen = call_all(mock, runnable, armed, given.node)
        judged = []
        for cell in wanted:
            if cell.not_run:
                judged.append(report.Judged(cell, report.Verdict.NOT_RUN))
                continue
            attempts = mock.attempts(armed[cell.id].id) if cell.id in armed else None
            judged.append(report.judge(cell, seen[cell.id], attempts))
        for mine in armed.values():
            mock.disarm(mine.id)

    if text := report.details(judged):
        print(text, end="\n\n")
    print(report.table(judged))
    print(f"\n{time.monotonic() - began:.0f} s")
    return 1 if any(item.verdict is report.Verdict.DIFFERS for item in judged) else 0


@contextmanager
def watchdog(mock: Mock) -> Iterator[None]:
    """Exits the process if a call hangs, because a hanging thread cannot be stopped."""

    def give_up() -> None:
        faulthandler.dump_traceback()
        mock.end()
        os._exit(1)

    timer = threading.Timer(LIMIT, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def call_all(mock: Mock, wanted: list[Cell], armed: dict[str, Armed], node: str) -> dict[str, Seen]:
    """Makes all calls concurrently: those of Node in one process, those of Python in threads of this one."""
    jobs = [job(mock, cell, armed.get(cell.id)) for cell in wanted]
    theirs = [one for one in jobs if SDKS[one.sdk].node]
    mine = [one for one in jobs if not SDKS[one.sdk].node]
    with ThreadPoolExecutor(THREADS) as pool:
        nodes = pool.submit(call_node, theirs, node)
        # Imported here, so that Node does not wait for the import.
        import python_sdks

        seen = dict(zip((one.id for one in mine), pool.map(python_sdks.perform, mine)))
        return seen | nodes.result()


def job(mock: Mock, cell: Cell, armed: Armed | None) -> Job:
    root = armed.root if armed else mock.catalogue(cell.provider, cell.by_url or "ok")
    return Job(
        id=cell.id,
        sdk=cell.sdk,
        call=cell.call,
        url=root,
        model=SDKS[cell.sdk].model,
        timeout=cell.timeout,
        retry_attempts=cell.retry_attempts,
        strict=bool(cell.present),
    )


def call_node(jobs: list[Job], node: str) -> dict[str, Seen]:
    if not jobs:
        return {}
    command = [node, str(HERE / "node_sdks.mjs")]
    text = json.dumps([one.as_json() for one in jobs])
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line.pop("id"): Seen(**line) for line in lines}


def quiet_environment() -> None:
    """Removes variables that would affect the SDKs (proxies, keys, addresses) and silences their logs."""
    logging.disable(logging.CRITICAL)
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(
            ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "AWS_", "AZURE_")
        ):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


if __name__ == "__main__":
    sys.exit(main())
