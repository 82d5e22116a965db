// A test suite in JavaScript: it arms a mock of `upfault serve`, calls it, reads its ledger and disarms it.
//
// UPFAULT_URL is the address that `upfault serve` printed.
import { afterEach, beforeEach, expect, test } from "vitest";

const control = (path, init) => fetch(process.env.UPFAULT_URL + path, init);
const turns = { provider: "openai", upstream: [{ error: "rate_limit" }, { reply: "ok" }], ttl: "60s" };
const headers = { "content-type": "application/json" };
let mock;

beforeEach(async () => {
  const answer = await control("/_upfault/arm", { method: "POST", headers, body: JSON.stringify(turns) });
  expect(answer.status).toBe(201);
  mock = await answer.json();
});

afterEach(async () => {
  expect((await control(`/_upfault/arm/${mock.id}`, { method: "DELETE" })).status).toBe(204);
});

test("the second attempt succeeds", async () => {
  const call = async () => {
    const answer = await fetch(`${mock.base_url}/chat/completions`, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${mock.keys.primary}` },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }] }),
    });
    return answer.status;
  };
  expect([await call(), await call()]).toEqual([429, 200]);
  const ledger = await (await control(`/_upfault/ledger/${mock.id}`)).json();
  expect(ledger.attempts.map((attempt) => attempt.sent.status)).toEqual([429, 200]);
});
