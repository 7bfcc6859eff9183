/** The question: which task, which words, which options; and examples to start from. */

import { $, h } from "./dom.js";
import { Options } from "./options.js";
import { PROMPTS } from "./samples.js";
import { fill, language, read, write } from "./language.js";

/** @typedef {import("./sightline.js").TaskInfo} TaskInfo */

const KEPT = "sightline.task";
/** The order in which tasks are offered; others follow as the service names them. */
const ORDER = ["vqa", "captioning", "chart_parse", "doc_analyze", "video_qa"];

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

  /** @param {TaskInfo[]} tasks */
  setTasks(tasks) {
    const rank = (/** @type {TaskInfo} */ task) => (ORDER.includes(task.name) ? ORDER.indexOf(task.name) : ORDER.length);
    this.tasks = tasks.toSorted((a, b) => rank(a) - rank(b));
    const kept = read(KEPT);
    $("tasks").replaceChildren(...this.tasks.map((task) => this.#choice(task)));
    this.#choose(this.tasks.find((task) => task.name === kept) ?? this.tasks[0]);
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
    $("task-summary").textContent = this.task?.summary[language()] ?? "";
  }

  /** @param {import("./samples.js").Sample | null} sample */
  showExamplesFor(sample) {
    this.#sample = sample;
    this.#suggest();
  }

  #suggest() {
    const prompts = (this.#sample?.prompts ?? PROMPTS)[this.task?.name ?? ""] ?? [];
    const texts = prompts.map((prompt) => prompt[language()]);
    const buttons = texts.map((text) => h("button", { type: "button", class: "chip", on: { click: () => this.ask(text) } }, text));
    $("examples").replaceChildren(...buttons);
    // The field starts with a question to a sample, so that one click already shows an answer.
    if (this.field.value !== this.#suggested) return;
    this.#suggested = this.#sample ? (texts[0] ?? "") : "";
    this.field.value = this.#suggested;
  }

  /** @param {string} text */
  ask(text) {
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
   * @param {number} pictures
   */
  check(pictures) {
    const { values, wrong } = this.options.read();
    if (!this.task) return null;
    if (pictures < this.task.media.least) this.complain("need_picture");
    else if (this.task.needs_text && !this.text) {
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
