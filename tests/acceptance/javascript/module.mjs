// The service's own JavaScript module, taken from the service, in Node.js; prints what came of each case as JSON.
import { readFile } from "node:fs/promises";

const [base, picture, cut] = process.argv.slice(2);
const source = await (await fetch(new URL("static/sightline.js", base))).text();
const { Sightline, SightlineError } = await import(`data:text/javascript;base64,${Buffer.from(source).toString("base64")}`);
const service = new Sightline({ base });
const content = await readFile(picture);

async function refused(work) {
  try {
    await work();
    return null;
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    return { kind: error.kind, code: error.code, field: error.details.field ?? null, hint: error.hint, requestId: error.requestId };
  }
}

async function streamed() {
  const said = { types: [], text: "" };
  for await (const event of service.stream({ task: "vqa", images: [content], text: "What is shown?" })) {
    if (said.types.at(-1) !== event.type) said.types.push(event.type);
    if (event.type === "token") said.text += event.token;
    if (event.type === "final") Object.assign(said, { answer: event.answer, confidence: event.confidence });
  }
  return said;
}

async function left() {
  for await (const event of service.stream({ task: "vqa", images: [content], text: "What else?" })) if (event.type === "token") return event.token;
}

async function uploaded() {
  const file = await service.upload(content);
  const { metadata } = await service.ask({ task: "vqa", images: [file], text: "What is shown?" });
  await service.forget(file);
  const gone = await refused(() => service.ask({ task: "vqa", images: [file], text: "And now?" }));
  return { width: metadata.receipts[0].original_width, gone };
}

const cases = {
  asked: () => service.ask({ task: "vqa", images: [content], text: "What is shown?" }),
  streamed,
  left,
  uploaded,
  tasks: async () => (await service.tasks()).map(({ name }) => name),
  ready: async () => (await service.ready()).ready,
  malformed: () => refused(() => service.ask({ task: "vqa", images: [content], text: "?", options: { temperature: 9 } })),
  chinese: () => refused(() => new Sightline({ base, language: "zh" }).ask({ task: "nope" })),
  unreachable: () => refused(() => new Sightline({ base: "http://127.0.0.1:1/" }).tasks()),
  cut: () =>
    refused(async () => {
      for await (const _ of new Sightline({ base: cut }).stream({ task: "vqa", images: [content], text: "?" }));
    }),
};

const came = {};
for (const [name, work] of Object.entries(cases)) came[name] = await work();
console.log(JSON.stringify(came));
