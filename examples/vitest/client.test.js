// Tests of a client: what the SDKs of OpenAI and Anthropic do when the provider fails.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { mockProvider } from "./upfault.js";

const messages = [{ role: "user", content: "Hello" }];

test("a rate limit is retried", async () => {
  const mock = await mockProvider("openai", [{ error: "rate_limit", headers: { "retry-after": "0" } }, { reply: "ok" }]);
  const client = new OpenAI({ baseURL: mock.baseURL, apiKey: mock.apiKey, maxRetries: 1 });
  const completion = await client.chat.completions.create({ model: "m", messages });
  expect(completion.choices[0].finish_reason).toBe("stop");
  expect((await mock.attempts()).map((attempt) => attempt.sent.status)).toEqual([429, 200]);
});

test("an overloaded provider is an error", async () => {
  const mock = await mockProvider("anthropic", [{ error: "overloaded" }]);
  const client = new Anthropic({ baseURL: mock.baseURL, apiKey: mock.apiKey, maxRetries: 0 });
  const call = client.messages.create({ model: "m", max_tokens: 10, messages });
  await expect(call).rejects.toMatchObject({ status: 529, error: { error: { type: "overloaded_error" } } });
});

test("a stream that breaks off is an error", async () => {
  const mock = await mockProvider("openai", [{ reply: { chunks: 20 }, faults: [{ reset: { at: { after_events: 5 } } }] }]);
  const client = new OpenAI({ baseURL: mock.baseURL, apiKey: mock.apiKey, maxRetries: 0 });
  let pieces = 0;
  const read = async () => {
    for await (const _ of await client.chat.completions.create({ model: "m", messages, stream: true })) pieces += 1;
  };
  await expect(read()).rejects.toThrow();
  expect(pieces).toBeGreaterThan(0);
  expect(await mock.attempts()).toHaveLength(1);
});
