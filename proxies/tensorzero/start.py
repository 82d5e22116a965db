"""Starts the HTTP gateway of the tensorzero package, and prints its address.

The package has no command for this. It uses the same function to serve OpenAI's SDK in the process of a caller.
"""

import signal
import sys

from tensorzero import _start_http_gateway

gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
print(f"listening on {gateway.base_url}", flush=True)
signal.pause()
