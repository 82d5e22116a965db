// Lets the tests of an LLM client use the mock providers of upfault. It needs only `upfault` on the PATH.
//
// `mockProvider` starts the server once for a test file, and removes each mock after its test.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, onTestFinished } from "vitest";

// On Windows, npm installs `upfault` as a script, which only a shell can start.
const shell = process.platform === "win32";
let server;
let control;

beforeAll(async () => {
  server = spawn("upfault", ["serve", "--json"], { shell, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    control = JSON.parse(line).control_api;
    return;
  }
  throw new Error("upfault did not start");
});

// `kill` would end the shell and leave the server.
afterAll(() => (shell ? spawn("taskkill", ["/pid", String(server.pid), "/t", "/f"]) : server.kill()));

async function call(method, path, body) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(control + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

// A mock of a provider that answers its n-th request with the n-th item of `upstream`, and repeats the last one. `attempts()`
// returns what arrived.
export async function mockProvider(provider, upstream, more = {}) {
  const armed = await call("POST", "/arm", { provider, upstream, ...more });
  onTestFinished(() => call("DELETE", `/arm/${armed.id}`));
  const attempts = async () => (await call("GET", `/ledger/${armed.id}`)).attempts;
  return { baseURL: armed.base_url, apiKey: Object.values(armed.keys)[0], attempts };
}
