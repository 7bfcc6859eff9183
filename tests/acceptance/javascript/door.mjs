// The official `openai` client for JavaScript against the door; prints what came of each case as JSON.
import OpenAI from "openai";

const [baseURL, picture] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, timeout: 20_000 });
const shown = [
  { type: "text", text: "What is shown?" },
  { type: "image_url", image_url: { url: picture, detail: "low" } },
];
const schema = { type: "object", properties: { count: { type: "integer" } }, required: ["count"], additionalProperties: false };

function ask(content, more = {}) {
  return client.chat.completions.create({ model: "default", messages: [{ role: "user", content }], ...more });
}

async function told(stream) {
  const said = { text: "", finish: null, usage: null };
  for await (const chunk of stream) {
    said.text += chunk.choices[0]?.delta.content ?? "";
    said.finish = chunk.choices[0]?.finish_reason ?? said.finish;
    said.usage = chunk.usage ?? said.usage;
  }
  return said;
}

async function refused(content, more) {
  try {
    await ask(content, more);
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, param: error.param, code: error.code, message: error.message };
  }
}

async function conversation() {
  const first = await ask("Hello");
  const messages = [
    { role: "system", content: "Be short." },
    { role: "user", content: "Hello" },
    first.choices[0].message, // as it came
    { role: "user", content: "And now?" },
  ];
  const second = await client.chat.completions.create({ model: "fake", messages, max_tokens: 20, temperature: 0, seed: 1, stop: ["zzz"] });
  return { role: second.choices[0].message.role, text: second.choices[0].message.content, model: second.model, usage: second.usage };
}

const cases = {
  conversation,
  picture: async () => (await ask(shown)).sightline.metadata.receipts[0].visual_tokens,
  whole: async () => (await ask(shown)).choices[0].message.content,
  stream: async () => told(await ask(shown, { stream: true, stream_options: { include_usage: true } })),
  schema: async () => {
    const format = { type: "json_schema", json_schema: { name: "answer", schema, strict: true } };
    return JSON.parse((await ask(shown, { response_format: format })).choices[0].message.content);
  },
  logprobs: async () => (await ask(shown, { logprobs: true })).choices[0].logprobs.content.map(({ token }) => token).join(""),
  models: async () => (await client.models.list()).data.map(({ id }) => id),
  tools: () => refused("Hello", { tools: [{ type: "function", function: { name: "f" } }] }),
  unknown: () => refused("Hello", { model: "gpt-9" }),
  media: () => refused([shown[0], { type: "image_url", image_url: { url: "http://127.0.0.1:1/a.png" } }]),
  elsewhere: async () => {
    try {
      await client.embeddings.create({ model: "default", input: "x" });
      return null;
    } catch (error) {
      return { kind: error.constructor.name, status: error.status };
    }
  },
};

const came = {};
for (const [name, work] of Object.entries(cases)) came[name] = await work();
console.log(JSON.stringify(came));
