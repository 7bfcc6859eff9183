/** One question and its answer on the page: typed out, then its confidence, its receipts and its code. */

import { codePanel } from "./code.js";
import { copyButton, h, icon } from "./dom.js";
import { failure } from "./failure.js";
import { receiptLine, receiptPanel } from "./receipts.js";
import { SightlineError } from "./sightline.js";
import { duration, fill, has } from "./language.js";
import { Typewriter } from "./typewriter.js";

/** @typedef {import("./sightline.js").Final} Final */
/** @typedef {import("./sightline.js").StreamEvent} StreamEvent */

/** Below this, a person is asked to look for themselves. */
const UNSURE = 0.6;
const FAIR = 0.85;
/** The model that comes in the box says so in its name. */
const SMALL = /^sight-nano/;

let count = 0;

/**
 * What stands above an answer and below it, given by the page.
 * @typedef {object} About
 * @property {string} title The task, in the page's language.
 * @property {string} text
 * @property {Blob[]} pictures
 * @property {boolean} own Whether a picture is the visitor's own and no sample.
 * @property {() => Record<string, string>} code
 */

export class AnswerCard {
  /** @param {About} about */
  constructor(about) {
    this.about = about;
    this.typed = document.createTextNode("");
    this.typewriter = new Typewriter(this.typed);
    this.wait = h("p", { class: "wait" }, h("span", { t: "answering" }), h("span", { class: "dots", "aria-hidden": "true" }));
    this.answer = h("p", { class: "answer", dir: "auto" }, this.typed);
    this.after = h("div", { class: "after" });
    this.thumbs = h("span", { class: "thumbs" });
    const asked = h("header", { class: "asked" }, this.thumbs, h("p", { dir: "auto" }, about.text || about.title));
    this.element = h("article", { class: "card", "aria-busy": "true", "data-state": "waiting" }, asked, this.wait, this.answer, this.after);
    for (const picture of about.pictures.slice(0, 4)) this.#thumb(picture);
  }

  /** @param {Blob} picture */
  async #thumb(picture) {
    try {
      const bitmap = await createImageBitmap(picture, { resizeWidth: 72, resizeQuality: "medium" });
      const canvas = h("canvas", { width: bitmap.width, height: bitmap.height, "aria-hidden": "true" });
      canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
      bitmap.close();
      this.thumbs.append(canvas);
    } catch {
      // A format that this browser cannot draw: the question stands alone.
    }
  }

  /**
   * Takes the next event of the stream.
   * @param {StreamEvent} event
   */
  take(event) {
    if (event.type === "accepted" && event.predicted_wait_ms > 500) {
      fill(/** @type {Element} */ (this.wait.firstElementChild), "", "answering_queue", { wait: duration(event.predicted_wait_ms) });
    } else if (event.type === "progress") {
      fill(/** @type {Element} */ (this.wait.firstElementChild), "", "progress", { ...event });
    } else if (event.type === "token") {
      if (this.element.dataset.state === "waiting") this.#state("typing");
      this.typewriter.push(event.token);
    }
  }

  /** @param {"waiting" | "typing" | "done" | "stopped" | "failed"} state */
  #state(state) {
    this.element.dataset.state = state;
    if (state !== "waiting") this.wait.remove();
    if (state !== "waiting" && state !== "typing") this.element.setAttribute("aria-busy", "false");
  }

  /** @param {Final} final */
  async finish(final) {
    await this.typewriter.end();
    // A structured task says its whole answer last.
    if (this.typewriter.text !== final.answer) this.typed.data = final.answer;
    this.#state("done");
    if (!final.answer) this.after.append(h("p", { class: "hint", t: "empty_answer" }));
    this.after.append(confidence(final), ...notices(final, this.about), ...structured(final), numbers(final));
    this.after.append(this.#drawers(final));
  }

  /** A person stopped it: what was said stays. */
  stop() {
    this.typewriter.flush();
    this.#state("stopped");
    this.after.append(h("p", { class: "hint", t: "stopped" }));
  }

  /**
   * @param {SightlineError} error
   * @param {import("./failure.js").Actions} actions
   */
  fail(error, actions) {
    this.typewriter.flush();
    this.#state("failed");
    this.after.append(failure(error, actions));
  }

  /** @param {Final} final */
  #drawers(final) {
    const id = `card-${(count += 1)}`;
    const row = h("div", { class: "drawers" });
    const panels = h("div", {});
    /**
     * @param {string} name
     * @param {Node} title
     * @param {() => Node} build
     */
    const drawer = (name, title, build) => {
      const panel = h("div", { class: "panel", id: `${id}-${name}`, hidden: true });
      const button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": panel.id }, title, icon("chevron"));
      button.addEventListener("click", () => {
        if (!panel.hasChildNodes()) panel.append(build());
        panel.hidden = !panel.hidden;
        button.setAttribute("aria-expanded", String(!panel.hidden));
      });
      row.append(button);
      panels.append(panel);
    };
    const seen = final.metadata.receipts.length > 0;
    drawer("receipt", seen ? receiptLine(final.metadata.receipts) : h("span", { t: "numbers" }), () => receiptPanel(final));
    drawer("code", h("span", { t: "code" }), () => h("div", {}, h("p", { class: "hint", t: "code_note" }), codePanel(this.about.code())));
    row.append(copyButton(() => final.answer, "copy_answer"));
    return h("div", {}, row, panels);
  }
}

/** @param {Final} final */
function confidence(final) {
  const value = final.confidence;
  const row = h("div", { class: "confidence" });
  if (value === null || value === undefined) {
    row.append(h("span", { t: "confidence_none" }), why("confidence_none_why", "?"));
    return row;
  }
  row.dataset.level = value < UNSURE ? "low" : value < FAIR ? "fair" : "high";
  const percent = Math.floor(value * 100);
  const bar = h("span", { class: "bar", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent, label: "confidence" }, h("span", {}));
  /** @type {HTMLElement} */ (bar.firstElementChild).style.inlineSize = `${percent}%`;
  row.append(h("span", { t: "confidence" }), bar, h("b", { t: "confidence_value", tv: { percent } }));
  const kind = final.metadata.calibrated ? "confidence_calibrated" : "confidence_raw";
  row.append(why(`${kind}_why`, null, kind));
  if (value < UNSURE) row.append(h("span", { class: "unsure", t: "confidence_low" }));
  return row;
}

/**
 * A word that explains itself when asked.
 * @param {string} key
 * @param {string | null} mark
 * @param {string} [t]
 */
function why(key, mark, t) {
  const said = h("span", { class: "why-said", t: key, hidden: true });
  const button = h("button", { type: "button", class: "why", "aria-expanded": "false", t, hint: key }, mark);
  button.addEventListener("click", () => {
    said.hidden = !said.hidden;
    button.setAttribute("aria-expanded", String(!said.hidden));
  });
  return h("span", { class: "why-box" }, button, said);
}

/**
 * What a person should know about the answer before trusting it.
 * @param {Final} final
 * @param {About} about
 */
function notices(final, about) {
  const { metadata } = final;
  /** @type {HTMLElement[]} */
  const list = [];
  const note = (/** @type {Node[]} */ ...parts) => list.push(h("li", { class: "notice" }, ...parts));
  const warnings = final.warnings ?? [];
  if (/\bfake\b/i.test(metadata.model) && !warnings.some(({ type }) => type === "simulated")) note(h("strong", { t: "simulated" }));
  if (metadata.degraded) {
    const { served, requested, reason } = metadata.degraded;
    note(h("span", { t: "degraded", tv: { served, requested, reason: has(`reason.${reason}`) ? { t: `reason.${reason}` } : reason } }));
  }
  if (metadata.finish_reason === "length") note(h("span", { t: "cut_short" }), h("span", { class: "hint", t: "cut_short_hint" }));
  for (const { type, msg, hint, input } of warnings) {
    const which = input !== undefined && metadata.receipts.length > 1 ? h("span", { class: "tag" }, String(input + 1)) : "";
    list.push(h("li", { class: "notice" }, which, h(type === "simulated" ? "strong" : "span", {}, msg), hint && h("span", { class: "hint" }, hint)));
  }
  if (about.own && SMALL.test(metadata.model)) note(h("span", { t: "small_model", tv: { model: metadata.model } }));
  return list.length ? [h("ul", { class: "notices" }, ...list)] : [];
}

/** @param {Final} final */
function structured(final) {
  if (final.structured === null || final.structured === undefined) return [];
  return [h("p", { class: "hint", t: "structured" }), h("pre", { tabindex: 0 }, JSON.stringify(final.structured, null, 2))];
}

/** @param {Final} final */
function numbers({ metadata }) {
  const list = h("ul", { class: "numbers", label: "numbers" });
  const say = (/** @type {string} */ t, /** @type {Record<string, unknown>} */ tv) => list.append(h("li", { t, tv }));
  say("plain", { value: duration(metadata.processing_time_ms) });
  if (metadata.input_tokens !== null && metadata.output_tokens !== null) say("tokens", { input: metadata.input_tokens, output: metadata.output_tokens });
  if (metadata.activated_experts) say("experts", { n: metadata.activated_experts });
  list.append(h("li", {}, metadata.model));
  say("lane", { lane: metadata.lane });
  return list;
}
