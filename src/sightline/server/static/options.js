/** A task's options as form fields, drawn from the JSON Schema that the service gives. */

import { h } from "./dom.js";
import { has, language, say } from "./language.js";

/** What the page itself decides, or what does not fit one line. */
const LEFT_OUT = new Set(["stream", "stop", "system", "timeout_ms", "priority"]);
/** Options of every task, in the order of their use; a task's own come before them. */
const COMMON = ["persona", "schema", "detail", "language", "max_tokens", "temperature", "top_p", "top_k", "seed", "model", "cache", "allow_degraded"];

/** @typedef {{name: string, kind: "choice" | "number" | "switch" | "text" | "json", whole: boolean, values: string[], least: number | null, most: number | null, standard: unknown, about: string, aboutZh: string}} Field */

/**
 * The fields of a schema that fit a form.
 * @param {any} schema
 * @returns {Field[]}
 */
export function fieldsOf(schema) {
  const root = follow(schema, schema);
  const fields = [];
  for (const [name, raw] of Object.entries(root?.properties ?? {})) {
    const field = LEFT_OUT.has(name) ? null : fieldOf(name, raw, schema);
    if (field) fields.push(field);
  }
  const rank = (/** @type {Field} */ field) => COMMON.indexOf(field.name);
  return fields.sort((a, b) => rank(a) - rank(b));
}

/**
 * @param {any} node
 * @param {any} schema
 */
function follow(node, schema) {
  const name = node?.$ref?.split("/").pop();
  return name ? (schema.$defs ?? schema.components?.schemas ?? {})[name] : node;
}

/**
 * @param {string} name
 * @param {any} raw
 * @param {any} schema
 * @returns {Field | null}
 */
function fieldOf(name, raw, schema) {
  const choices = (raw.anyOf ?? [raw]).map((/** @type {any} */ choice) => follow(choice, schema));
  const main = choices.find((/** @type {any} */ choice) => choice.type !== "null");
  if (!main) return null;
  const values = (main.enum ?? []).filter((/** @type {unknown} */ value) => typeof value === "string");
  const kinds = /** @type {const} */ ({ integer: "number", number: "number", boolean: "switch", string: "text", object: "json" });
  const kind = values.length ? "choice" : kinds[/** @type {keyof typeof kinds} */ (main.type)];
  if (!kind) return null;
  return {
    name,
    kind,
    whole: main.type === "integer",
    values,
    least: main.minimum ?? main.exclusiveMinimum ?? null,
    most: main.maximum ?? main.exclusiveMaximum ?? null,
    standard: raw.default ?? null,
    about: raw.description ?? main.description ?? "",
    aboutZh: raw["x-description-zh"] ?? main["x-description-zh"] ?? "",
  };
}

/** The form: empty fields are left to the task, and are not sent. */
export class Options {
  /** @param {HTMLElement} panel */
  constructor(panel) {
    this.panel = panel;
    /** @type {Field[]} */
    this.fields = [];
    /** @type {Record<string, Record<string, string>>} What was entered, by task and option: it survives a change of task. */
    this.entered = {};
    this.task = "";
    /** @type {import("./sightline.js").PersonaInfo[]} */
    this.personas = [];
    /** @type {() => void} Draws the form anew, in the language of the page. */
    this.redraw = () => undefined;
    document.addEventListener("language", () => this.redraw());
  }

  /**
   * Sets a task's options as they once were.
   * @param {string} task
   * @param {Record<string, unknown>} values
   */
  enter(task, values) {
    this.entered[task] = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]));
  }

  /**
   * @param {import("./sightline.js").TaskInfo} task
   * @param {string[]} models The models that there are, where they are known.
   */
  show(task, models) {
    this.task = task.name;
    this.redraw = () => this.show(task, models);
    this.entered[task.name] ??= {};
    /** @type {Record<string, string[]>} What the service knows of an option's values beyond its schema. */
    const choices = { model: models, persona: task.personas ?? [] };
    this.fields = fieldsOf(task.options)
      .filter((field) => field.name !== "persona" || choices.persona.length)
      .map((field) => (choices[field.name]?.length ? { ...field, kind: "choice", values: choices[field.name] } : field));
    this.panel.replaceChildren(...this.fields.map((field) => this.#row(field)));
  }

  /** @param {Field} field */
  #row(field) {
    const id = `option-${field.name}`;
    const input = this.#input(field, id);
    input.addEventListener("input", () => {
      this.entered[this.task][field.name] = input.value;
    });
    const key = `option.${field.name}`;
    const label = has(key) ? h("label", { for: id, t: key }) : h("label", { for: id }, field.name.replaceAll("_", " "));
    for (const element of [label, input]) element.title = language() === "zh" && field.aboutZh ? field.aboutZh : field.about;
    return h("div", { class: field.kind === "json" ? "option wide" : "option" }, label, input);
  }

  /**
   * @param {Field} field
   * @param {string} id
   */
  #input(field, id) {
    const kept = this.entered[this.task][field.name] ?? "";
    if (field.kind === "choice" || field.kind === "switch") {
      const select = h("select", { id });
      const values = field.kind === "switch" ? ["true", "false"] : field.values;
      const standard = field.standard === null ? null : String(field.standard);
      if (standard === null) select.append(h("option", { value: "", t: "option_default" }));
      for (const value of values) {
        const key = `value.${value}`;
        const persona = field.name === "persona" ? this.personas.find(({ name }) => name === value) : undefined;
        if (persona) select.append(h("option", { value }, persona.title[language()]));
        else select.append(has(key) ? h("option", { value: value === standard ? "" : value, t: key }) : h("option", { value: value === standard ? "" : value }, value));
      }
      select.value = kept;
      return select;
    }
    if (field.kind === "json") {
      const area = h("textarea", { id, rows: 3, spellcheck: "false", placeholder: "{ }" });
      area.value = kept;
      return area;
    }
    const bounds = { min: field.least, max: field.most, step: field.whole ? 1 : "any" };
    const input = h("input", { id, prompt: "option_default", ...(field.kind === "number" ? { type: "number", inputmode: "decimal", ...bounds } : { type: "text" }) });
    input.value = kept;
    return input;
  }

  /**
   * What to send: only what a person has set. Gives the first option whose value is not allowed instead, if there is one.
   * @returns {{values: Record<string, unknown>, wrong: string | null}}
   */
  read() {
    /** @type {Record<string, unknown>} */
    const values = {};
    for (const field of this.fields) {
      const input = /** @type {HTMLInputElement} */ (this.panel.querySelector(`#option-${field.name}`));
      const wrong = say(has(`option.${field.name}`) ? `option.${field.name}` : field.name);
      if (!input.checkValidity()) return { values: {}, wrong };
      if (input.value.trim() === "") continue;
      try {
        values[field.name] = field.kind === "json" ? JSON.parse(input.value) : field.kind === "number" ? Number(input.value) : field.kind === "switch" ? input.value === "true" : input.value;
      } catch {
        return { values: {}, wrong };
      }
    }
    return { values, wrong: null };
  }
}
