/** The API reference: the service's own `openapi.json`, made readable. */

import { dress, watch } from "./chrome.js";
import { codePanel } from "./code.js";
import { $, h, prose } from "./dom.js";
import { Sightline } from "./sightline.js";
import { snippets } from "./snippets.js";
import { fill, language } from "./language.js";

const service = new Sightline({ language });

/** @param {string} reference Such as `#/components/schemas/Final`. */
const nameOf = (reference) => reference.split("/").pop() ?? reference;

/**
 * A type in a few words, with links to the structures it names.
 * @param {any} schema
 * @returns {(string | Element)[]}
 */
function typeOf(schema) {
  if (schema.$ref) return [h("a", { href: `#${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.flatMap((/** @type {any} */ choice, /** @type {number} */ index) => [...(index ? [" | "] : []), ...typeOf(choice)]);
  if (schema.enum) return [schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)).join(" | ")];
  if (schema.type === "array") return ["[", ...typeOf(schema.items ?? {}), "]"];
  return [schema.type ?? "any", ...boundsOf(schema)];
}

/**
 * @param {any} schema
 * @returns {string[]}
 */
function boundsOf(schema) {
  const low = schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : `>${schema.exclusiveMinimum}`);
  const high = schema.maximum ?? (schema.exclusiveMaximum === undefined ? undefined : `<${schema.exclusiveMaximum}`);
  if (low !== undefined || high !== undefined) return [` ${low ?? ""}…${high ?? ""}`];
  return schema.maxLength === undefined ? [] : [` ${schema.minLength ?? 0}…${schema.maxLength}`];
}

/**
 * Every description along a type: a field's own, or those of its choices.
 * @param {any} schema
 * @returns {string}
 */
function aboutOf(schema) {
  const own = schema.description ?? "";
  return own || (schema.anyOf ?? []).map((/** @type {any} */ choice) => choice.description ?? "").filter(Boolean).join(" ");
}

/**
 * @param {string} label The text of its name, in which `of` says what it is about.
 * @param {string} of
 * @param {(string | Node)[][]} rows
 * @param {...string} heads
 */
function table(label, of, rows, ...heads) {
  const head = h("tr", {}, ...heads.map((t) => h("th", { scope: "col", t })));
  const body = rows.map((cells) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell))));
  return h("div", { class: "scroll", role: "region", label, tv: { of }, tabindex: 0 }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
}

/**
 * @param {string} name
 * @param {any} schema
 */
function structure(name, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([field, kind]) => {
    const needed = schema.required?.includes(field);
    const meaning = h("span", {}, ...prose(aboutOf(kind)));
    const standard = /** @type {any} */ (kind).default;
    const shown = JSON.stringify(standard);
    if (standard !== undefined && standard !== null && shown !== "[]" && shown !== '""' && shown !== "{}") {
      meaning.append(" ", h("span", { class: "hint", t: "docs_default", tv: { value: shown } }));
    }
    const title = h("span", {}, h("code", {}, field));
    if (needed) title.append(h("span", { class: "required", t: "docs_required" }));
    return [title, h("code", {}, ...typeOf(kind)), meaning];
  });
  const about = h("p", { class: "hint" }, ...prose(schema.description ?? ""));
  return h("div", { class: "entry", id: name }, h("h3", {}, name), about, rows.length ? table("docs_fields_of", name, rows, "docs_field", "docs_type", "docs_meaning") : null);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} operation
 */
function call(method, path, operation) {
  const entry = h("div", { class: "entry", id: operation.operationId });
  const title = h("h3", { class: "path" }, h("span", { class: "method" }, method.toUpperCase()), h("code", {}, path));
  entry.append(title, h("p", {}, ...prose(operation.summary ?? "")));
  if (operation.description) entry.append(h("p", { class: "hint" }, ...prose(operation.description)));
  if (operation.parameters?.length) {
    const rows = operation.parameters.map((/** @type {any} */ parameter) => [
      h("code", {}, parameter.name),
      h("code", {}, ...typeOf(parameter.schema ?? {})),
      h("span", {}, ...prose(parameter.description ?? "")),
    ]);
    entry.append(table("docs_parameters_of", path, rows, "docs_parameters", "docs_type", "docs_meaning"));
  }
  for (const [kind, { schema }] of Object.entries(/** @type {Record<string, any>} */ (operation.requestBody?.content ?? {}))) {
    entry.append(h("p", {}, h("span", { t: "docs_body" }), ": ", ...typeOf(schema), " ", h("span", { class: "hint" }, kind)));
  }
  const rows = Object.entries(/** @type {Record<string, any>} */ (operation.responses ?? {})).map(([status, response]) => [
    h("code", {}, status),
    h("span", {}, ...prose(response.description ?? "")),
    h("code", {}, ...Object.values(/** @type {Record<string, any>} */ (response.content ?? {})).flatMap(({ schema }) => typeOf(schema ?? {}))),
  ]);
  entry.append(table("docs_responses_of", path, rows, "docs_responses", "docs_meaning", "docs_type"));
  return entry;
}

/**
 * @typedef {{zh: string, en: string}} Both
 * @param {{code: number, status: number, retryable: boolean, message: Both, hint: Both}[]} errors
 */
function errorTable(errors) {
  const both = (/** @type {Both} */ texts) => {
    const span = h("span", {});
    const show = () => span.replaceChildren(...prose(texts[language()].replace(/\{(\w+)\}/g, "`$1`")));
    document.addEventListener("language", show);
    show();
    return span;
  };
  const rows = errors.map(({ code, status, retryable, message, hint }) => [
    h("code", {}, String(code)),
    h("code", {}, String(status)),
    both(message),
    both(hint),
    h("span", { t: retryable ? "docs_yes" : "docs_no" }),
  ]);
  return table("error_table", "", rows, "docs_code", "docs_status", "docs_message", "docs_hint", "docs_retryable");
}

/**
 * @param {string} title
 * @param {string} id
 * @param {...Node} parts
 */
function section(title, id, ...parts) {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title`, t: title }), ...parts);
}

/** A first call in three languages. */
function example() {
  const picture = { address: "https://example.com/cat.jpg", file: "", type: "" };
  return codePanel(snippets({ task: "vqa", pictures: [picture], text: "What is this?", options: {} }, service.base, false));
}

async function show() {
  let said;
  try {
    said = await service.get("openapi.json");
  } catch {
    fill($("docs-said"), "", "docs_missing");
    return;
  }
  const calls = Object.entries(/** @type {Record<string, Record<string, any>>} */ (said.paths ?? {})).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => call(method, path, operation)),
  );
  const structures = Object.entries(said.components?.schemas ?? {}).map(([name, schema]) => structure(name, schema));
  const errors = said.info?.["x-errors"] ?? [];
  const contents = [["docs_paths", "calls"], ["docs_errors", "errors"], ["docs_schemas", "schemas"]];
  $("reference").append(
    h("nav", { class: "contents", label: "contents" }, ...contents.map(([t, id]) => h("a", { href: `#${id}`, t })), h("span", { class: "hint" }, `${said.info?.version ?? ""}`)),
    example(),
    section("docs_paths", "calls", ...calls),
    section("docs_errors", "errors", errorTable(errors)),
    section("docs_schemas", "schemas", ...structures),
  );
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

dress();
watch(service);
await show();
