"""Sends requests with httpx: reads them as lines of JSON from stdin, and prints results as lines of JSON."""

import asyncio
import json
import ssl
import sys

import httpx

TIME_OUT = float(sys.argv[1])
CONTEXT = ssl.create_default_context(cafile=sys.argv[2])


async def fetch(client, ask, got):
    request = client.stream("POST", ask["url"], headers=dict(ask["headers"]), content=ask["body"])
    async with request as response:
        got["status"] = response.status_code
        async for chunk in response.aiter_raw():
            got["bytes"] += len(chunk)


async def one(ask):
    got = {"id": ask["id"], "status": None, "bytes": 0, "error": None, "timed_out": False}
    options = {"http2": True, "verify": CONTEXT, "timeout": None, "trust_env": False}
    try:
        async with httpx.AsyncClient(**options) as client:
            await asyncio.wait_for(fetch(client, ask, got), TIME_OUT)
    except asyncio.TimeoutError:
        got["timed_out"] = True
    except Exception as error:  # any exception is a result
        got["error"] = f"{type(error).__name__}: {error}"
    return got


async def main():
    asks = [json.loads(line) for line in sys.stdin]
    for got in await asyncio.gather(*map(one, asks)):
        print(json.dumps(got))


asyncio.run(main())
