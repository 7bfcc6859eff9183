// JavaScript: the service's own module, fetched from it. Node.js 20 or newer, nothing to install.
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const server = (process.env.SIGHTLINE_SERVER ?? "http://127.0.0.1:8000").replace(/\/?$/, "/");
const path = join(tmpdir(), `sightline-${process.pid}.mjs`);
await writeFile(path, await (await fetch(new URL("static/sightline.js", server))).text());
const { Sightline } = await import(pathToFileURL(path));

const service = new Sightline({ base: server, key: process.env.SIGHTLINE_API_KEY ?? "" });
const picture = await readFile(new URL("pictures/shapes.png", import.meta.url));
for await (const event of service.stream({ task: "vqa", images: [picture], text: "What colour is the circle?" })) {
  if (event.type === "token") process.stdout.write(event.token);
  if (event.type === "final") console.log(`\nconfidence: ${event.confidence}`);
}
