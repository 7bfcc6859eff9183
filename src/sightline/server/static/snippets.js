/** The question on the page as a program: curl, Python and JavaScript. */

/**
 * What was asked, with pictures by name: an `address`, or a `file` that the reader has.
 * @typedef {{task: string, pictures: {address: string | null, file: string, type: string}[], text: string, options: Record<string, unknown>}} Question
 */

/** @param {Question["pictures"][number]} picture */
const kindOf = (picture) => picture.type || "application/octet-stream";
/** @param {string} text */
const inShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
/** @param {string} text Text inside a here-document, where $, ` and \ have a meaning. */
const inHere = (text) => text.replace(/[\\$`]/g, "\\$&");

/**
 * @param {Question} question
 * @param {URL} base
 * @param {boolean} keyed Whether the service asks for a key.
 * @returns {Record<"curl" | "Python" | "JavaScript", string>}
 */
export function snippets(question, base, keyed) {
  return { curl: curl(question, base, keyed), Python: python(question, base, keyed), JavaScript: javascript(question, base, keyed) };
}

/** @type {(question: Question, base: URL, keyed: boolean) => string} */
function curl({ task, pictures, text, options }, base, keyed) {
  const images = pictures.map((picture) =>
    picture.address === null
      ? `"data:${kindOf(picture)};base64,$(base64 < ${inShell(picture.file)} | tr -d '\\n')"`
      : inHere(JSON.stringify(picture.address)),
  );
  const rest = [
    ...(text ? [`"text": ${inHere(JSON.stringify(text))}`] : []),
    ...(Object.keys(options).length ? [`"options": ${inHere(JSON.stringify(options))}`] : []),
  ];
  return [
    `curl -sN ${new URL("infer_stream", base)} \\`,
    `  -H 'Content-Type: application/json' \\`,
    ...(keyed ? [`  -H "Authorization: Bearer $SIGHTLINE_API_KEY" \\`] : []),
    `  -d @- <<JSON`,
    `{${[`"task": ${JSON.stringify(task)}`, `"images": [${images.join(", ")}]`, ...rest].join(",\n ")}}`,
    `JSON`,
  ].join("\n");
}

/** @type {(question: Question, base: URL, keyed: boolean) => string} */
function python({ task, pictures, text, options }, base, keyed) {
  const images = pictures.map((picture) => JSON.stringify(picture.address ?? picture.file)).join(", ");
  const more = Object.entries(options).map(([name, value]) => `, ${name}=${inPython(value)}`).join("");
  return [
    ...(keyed ? ["# The key is read from SIGHTLINE_API_KEY."] : []),
    "from sightline import QwenVLClient",
    "",
    `client = QwenVLClient(base_url="${String(base).replace(/\/$/, "")}")`,
    `answer = client.ask([${images}], ${JSON.stringify(text)}, task="${task}"${more}, stream=True)`,
    "for piece in answer:",
    `    print(piece, end="", flush=True)`,
    "print()",
    `print(answer.final.confidence)`,
  ].join("\n");
}

/** @param {unknown} value */
function inPython(value) {
  return typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value);
}

/** @type {(question: Question, base: URL, keyed: boolean) => string} */
function javascript({ task, pictures, text, options }, base, keyed) {
  const files = pictures.some((picture) => picture.address === null);
  const images = pictures.map((picture) =>
    picture.address === null
      ? `await file(${JSON.stringify(picture.file)}, ${JSON.stringify(kindOf(picture))})`
      : JSON.stringify(picture.address),
  );
  return [
    ...(files ? [`import { readFile } from "node:fs/promises";`, ""] : []),
    ...(files ? [`const file = async (name, type) => \`data:\${type};base64,\${await readFile(name, "base64")}\`;`, ""] : []),
    `const response = await fetch("${new URL("infer", base)}", {`,
    `  method: "POST",`,
    `  headers: { "Content-Type": "application/json"${keyed ? ", Authorization: `Bearer ${process.env.SIGHTLINE_API_KEY}`" : ""} },`,
    `  body: JSON.stringify({`,
    `    task: "${task}",`,
    `    images: [${images.join(", ")}],`,
    ...(text ? [`    text: ${JSON.stringify(text)},`] : []),
    ...(Object.keys(options).length ? [`    options: ${JSON.stringify(options)},`] : []),
    `  }),`,
    `});`,
    `const { result, msg, error } = await response.json();`,
    `console.log(result ? result.answer : \`\${msg} \${error.hint}\`);`,
  ].join("\n");
}
