/** The question: which task, which words, which options; and examples to start from. */

import { $, h, prose } from "./dom.js";
import { takes } from "./kinds.js";
import { Options } from "./options.js";
import { fill, language, read, say, write } from "./language.js";

/** @typedef {import("./sightline.js").TaskInfo} TaskInfo */

const KEPT = "sightline.task";
/** Ways of reading a document that need no question. */
const WORDLESS = new Set(["markdown", "fields"]);
/** The order in which tasks are offered; others follow as the service names them. */
const ORDER = ["vqa", "captioning", "chart_parse", "grounding", "ocr", "doc_analyze", "video_qa", "chat"];

export class Question {
  /** @type {TaskInfo[]} */
  tasks = [];
  /** @type {TaskInfo | null} */
  task = null;
  /** @type {string[]} Names of the models that there are. */
  models = [];
  /** @type {import("./samples.js").Sample | null} */
  #sample = null;
  /** The last text that the page itself wrote into the field. */
  #suggested = "";

  constructor() {
    this.form = $("question");
    this.field = $("text");
    this.options = new Options($("options"));
    /** @type {() => void} */
    this.onask = () => undefined;
    /** @type {(task: TaskInfo) => void} */
    this.ontask = () => undefined;
    this.form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.onask();
    });
    this.field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      // Enter that ends a Chinese word is not yet meant for us.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.onask();
    });
    $("options-toggle").addEventListener("click", () => {
      $("options").hidden = !$("options").hidden;
      $("options-toggle").setAttribute("aria-expanded", String(!$("options").hidden));
    });
    document.addEventListener("language", () => {
      this.#describe();
      this.#suggest();
    });
  }

  /**
   * @param {TaskInfo[]} tasks
   * @param {import("./sightline.js").PersonaInfo[]} personas
   */
  setTasks(tasks, personas) {
    this.options.personas = personas;
    const rank = (/** @type {TaskInfo} */ task) => (ORDER.includes(task.name) ? ORDER.indexOf(task.name) : ORDER.length);
    this.tasks = tasks.toSorted((a, b) => rank(a) - rank(b));
    const kept = read(KEPT);
    $("tasks").replaceChildren(...this.tasks.map((task) => this.#choice(task)));
    this.#choose(this.tasks.find((task) => task.name === kept) ?? this.tasks[0]);
  }

  /**
   * Chooses a task that takes what came, if the chosen one does not; `preferred` goes first.
   * @param {readonly {kinds: import("./kinds.js").Kind[]}[]} items
   * @param {string} [preferred]
   */
  fit(items, preferred) {
    const wanted = this.tasks.find((task) => task.name === preferred && takes(task, items));
    if (wanted) return this.#choose(wanted);
    if (!this.task || takes(this.task, items)) return;
    const fitting = this.tasks.find((task) => takes(task, items));
    if (fitting) this.#choose(fitting);
  }

  /**
   * Puts an earlier question back.
   * @param {string} task
   * @param {string} text
   * @param {Record<string, unknown>} options
   */
  put(task, text, options) {
    const known = this.tasks.find(({ name }) => name === task);
    if (known) {
      this.options.enter(task, options);
      this.#choose(known);
    }
    this.field.value = text;
    this.field.focus();
  }

  /** @param {string[]} models */
  setModels(models) {
    this.models = models;
    if (this.task) this.options.show(this.task, models);
  }

  /** @param {TaskInfo} task */
  #choice(task) {
    const radio = h("input", { type: "radio", name: "task", value: task.name, id: `task-${task.name}` });
    radio.addEventListener("change", () => {
      write(KEPT, task.name);
      this.#choose(task);
    });
    return h("div", { class: "choice" }, radio, h("label", { for: radio.id }, task.title[language()]));
  }

  /** @param {TaskInfo | undefined} task */
  #choose(task) {
    if (!task) return;
    this.task = task;
    $(`task-${task.name}`).checked = true;
    fill(this.field, "placeholder", task.needs_text ? "question_prompt" : "wish_prompt");
    this.options.show(task, this.models);
    this.#describe();
    this.#suggest();
    this.ontask(task);
  }

  /** Writes what the service says of its tasks in the page's language. */
  #describe() {
    for (const task of this.tasks) this.form.querySelector(`label[for="task-${task.name}"]`).textContent = task.title[language()];
    $("task-summary").replaceChildren(...prose(this.task?.summary[language()] ?? ""));
  }

  /** @param {import("./samples.js").Sample | null} sample */
  showExamplesFor(sample) {
    this.#sample = sample;
    this.#suggest();
  }

  #suggest() {
    // Of a sample there are questions with an answer in it; of a visitor's own picture the task knows examples.
    const known = this.#sample?.prompts[this.task?.name ?? ""];
    const examples = this.#sample ? (known ?? []).map((text) => ({ text, options: {} })) : (this.task?.examples ?? []);
    const texts = examples.map(({ text }) => text[language()]);
    const buttons = examples.map(({ text, options }) => h("button", { type: "button", class: "chip", on: { click: () => this.ask(text[language()], options) } }, text[language()] || say("example_plain")));
    $("examples").replaceChildren(...buttons);
    // The field starts with a question to a sample, so that one click already shows an answer.
    if (this.field.value !== this.#suggested) return;
    this.#suggested = this.#sample ? (texts[0] ?? "") : "";
    this.field.value = this.#suggested;
  }

  /**
   * @param {string} text
   * @param {Record<string, unknown>} [options]
   */
  ask(text, options = {}) {
    if (this.task && Object.keys(options).length) {
      this.options.enter(this.task.name, options);
      this.options.show(this.task, this.models);
    }
    this.field.value = text;
    this.#suggested = text;
    this.onask();
  }

  get text() {
    return this.field.value.trim();
  }

  /**
   * Says what is missing, in the page's words; an empty key clears it.
   * @param {string} key
   * @param {Record<string, unknown>} [values]
   */
  complain(key, values) {
    fill($("question-said"), "", key, values);
    this.field.setAttribute("aria-invalid", String(key === "need_question"));
  }

  /**
   * Whether the question can be sent; says what is missing where it cannot.
   * @param {readonly {name: string, kinds: import("./kinds.js").Kind[]}[]} items
   */
  check(items) {
    const { values, wrong } = this.options.read();
    if (!this.task) return null;
    const { least, kinds } = this.task.media;
    const stray = items.find((item) => !takes(/** @type {TaskInfo} */ (this.task), [item]));
    if (items.length < least) this.complain(`need_${["image", "document", "video"].find((kind) => kinds.includes(kind)) ?? "image"}`);
    else if (stray) this.complain("wrong_kind", { task: this.task.title[language()], name: stray.name });
    else if (this.task.needs_text && !this.text && !WORDLESS.has(String(values.output))) {
      this.complain("need_question");
      this.field.focus();
    } else if (wrong) {
      this.complain("option_bad", { name: wrong });
      $("options").hidden = false;
      $("options-toggle").setAttribute("aria-expanded", "true");
    } else {
      this.complain("");
      return { task: this.task, text: this.text, options: values };
    }
    return null;
  }
}
