// Sends requests with undici, which is node's `fetch`: reads them from standard input as lines of JSON, and prints the
// results as lines of JSON. NODE_EXTRA_CA_CERTS is the file of the certificate authority.

import { createInterface } from "node:readline";

const timeOut = 1000 * Number(process.argv[2]);

// The dispatcher of `fetch` exists after its first use. Its class has options that `fetch` does not have.
await fetch("data:,").then((response) => response.text());
const Agent = globalThis[Symbol.for("undici.globalDispatcher.1")].constructor;

async function one(ask) {
  const got = { id: ask.id, status: null, bytes: 0, error: null, timed_out: false };
  const agent = new Agent({ allowH2: true });
  const signal = AbortSignal.timeout(timeOut);
  try {
    const response = await fetch(ask.url, {
      method: "POST",
      headers: ask.headers,
      body: ask.body,
      redirect: "manual",
      dispatcher: agent,
      signal,
    });
    got.status = response.status;
    if (response.body) {
      for await (const chunk of response.body) {
        got.bytes += chunk.length;
      }
    }
  } catch (error) {
    if (signal.aborted) {
      got.timed_out = true;
    } else {
      got.error = `${error.name}: ${error.message} (${error.cause?.code ?? error.cause?.message ?? "no cause"})`;
    }
  }
  agent.destroy().catch(() => {});
  return got;
}

const asks = [];
for await (const line of createInterface({ input: process.stdin })) {
  asks.push(JSON.parse(line));
}
for (const got of await Promise.all(asks.map(one))) {
  console.log(JSON.stringify(got));
}
process.exit(0);
