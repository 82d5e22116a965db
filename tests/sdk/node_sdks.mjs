// Calls the Node SDKs: reads jobs as JSON from stdin (job.py), and prints each result as a line of JSON.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI, { AzureOpenAI, toFile } from "openai";

// The tables contain the errors, so the SDKs need not log them.
const quiet = { logLevel: "off" };
const messages = [{ role: "user", content: "Say hi" }];

const openaiClient = (job) => {
  const timeout = job.timeout * 1000;
  return job.sdk === "azure-node"
    ? new AzureOpenAI({ apiKey: "mock", endpoint: job.url, apiVersion: "2024-10-21", timeout, ...quiet })
    : new OpenAI({ apiKey: "sk-mock", baseURL: `${job.url}/v1`, timeout, ...quiet });
};

const openai = {
  chat: (c, { model }) => c.chat.completions.create({ model, messages }),
  chat_stream: (c, { model }) =>
    c.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } }),
  chat_helper: (c, { model }) => c.chat.completions.stream({ model, messages }).finalChatCompletion(),
  responses: (c, { model }) => c.responses.create({ model, input: "Say hi" }),
  responses_stream: (c, { model }) => c.responses.create({ model, input: "Say hi", stream: true }),
  responses_helper: (c, { model }) => c.responses.stream({ model, input: "Say hi" }).finalResponse(),
  completions: (c, { model }) => c.completions.create({ model, prompt: "Say hi" }),
  completions_stream: (c, { model }) => c.completions.create({ model, prompt: "Say hi", stream: true }),
  embeddings: (c, { model }) => c.embeddings.create({ model, input: "Hi" }),
  images: (c) => c.images.generate({ model: "gpt-image-1", prompt: "A dot" }),
  speech: async (c) => {
    const audio = await c.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hi" });
    const { byteLength } = await audio.arrayBuffer();
    return byteLength ? { bytes: byteLength } : {};
  },
  transcriptions: async (c) =>
    c.audio.transcriptions.create({
      model: "whisper-1",
      file: await toFile(Buffer.from("RIFF$\0\0\0WAVEfmt "), "hi.wav"),
    }),
  moderations: (c) => c.moderations.create({ model: "omni-moderation-latest", input: "Hi" }),
  models: async (c) => ({ data: (await c.models.list()).data }),
  files: async (c) => c.files.create({ file: await toFile(Buffer.from("{}\n"), "batch.jsonl"), purpose: "batch" }),
  batches: (c) =>
    c.batches.create({ completion_window: "24h", endpoint: "/v1/chat/completions", input_file_id: "file-1" }),
};

const anthropicClient = (job) =>
  new Anthropic({ apiKey: "sk-ant-mock", baseURL: job.url, timeout: job.timeout * 1000, ...quiet });

const ask = { max_tokens: 64, messages };
const anthropic = {
  chat: (c, { model }) => c.messages.create({ model, ...ask }),
  chat_stream: (c, { model }) => c.messages.create({ model, stream: true, ...ask }),
  chat_helper: (c, { model }) => c.messages.stream({ model, ...ask }).finalMessage(),
  count_tokens: (c, { model }) => c.messages.countTokens({ model, messages }),
};

const googleClient = (job) => {
  const httpOptions = { baseUrl: job.url, timeout: job.timeout * 1000 };
  if (job.retry_attempts) httpOptions.retryOptions = { attempts: job.retry_attempts, initialDelay: 0.1 };
  return new GoogleGenAI({ apiKey: "mock", vertexai: false, httpOptions });
};

const google = {
  chat: (c, { model }) => c.models.generateContent({ model, contents: "Say hi" }),
  chat_stream: (c, { model }) => c.models.generateContentStream({ model, contents: "Say hi" }),
};

const sdks = {
  "openai-node": [openaiClient, openai],
  "azure-node": [openaiClient, openai],
  "anthropic-node": [anthropicClient, anthropic],
  "google-node": [googleClient, google],
};

async function perform(job) {
  const [client, calls] = sdks[job.sdk];
  try {
    const value = await calls[job.call](client(job), job);
    if (typeof value?.[Symbol.asyncIterator] !== "function") {
      return { result: "returns normally", value: job.strict ? value : null };
    }
    const events = [];
    for await (const event of value) events.push(event);
    const last = String(events.at(-1)?.type);
    return { result: "ends normally", facts: { last }, value: job.strict ? events : null };
  } catch (error) {
    // A missing member is None in the tables, as in Python.
    const fact = (value) => (value === undefined || value === null ? "None" : String(value));
    const { code, status, message } = error;
    const facts = { code: fact(code), status: fact(status), message: fact(message) };
    return { result: error.constructor.name, facts, text: String(error).slice(0, 300) };
  }
}

let input = "";
for await (const part of process.stdin) input += part;
await Promise.all(
  JSON.parse(input).map(async (job) => {
    const seen = await perform(job);
    process.stdout.write(`${JSON.stringify({ id: job.id, ...seen })}\n`);
  }),
);
