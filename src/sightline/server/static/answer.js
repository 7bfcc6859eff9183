/** One question and its answer on the page: typed out, then its confidence, what it found, its receipts and its code. */

import { codePanel } from "./code.js";
import { copyButton, h, icon } from "./dom.js";
import { failure } from "./failure.js";
import { duration, fill, has } from "./language.js";
import { layer } from "./marks.js";
import { enlarge, Pages } from "./pages.js";
import { receiptLine, receiptPanel } from "./receipts.js";
import { SightlineError } from "./sightline.js";
import { level, percent, tint, UNSURE } from "./sureness.js";
import { thumb } from "./thumbs.js";
import { Typewriter } from "./typewriter.js";

/** @typedef {import("./sightline.js").Final} Final */
/** @typedef {import("./sightline.js").StreamEvent} StreamEvent */

/** The models that come in the box say so in their names. */
const SMALL = /^sight-(nano|pico)/;
/** What it was hardly taught. */
const UNTRAINED = new Set(["grounding", "chat"]);
/** Signs of Markdown; an answer without any is shown as it was typed. */
const MARKED = /[*_`#|>\-[\]~]|^\s*\d+[.)]\s|https?:/m;

let count = 0;
/** Whether a small model's limits were told on this visit; once is enough. */
let admitted = false;

/** @typedef {{id: number, name: string, kinds: string[], blob: Blob | null, address: string | null, pages: Pages | null}} Item */

/**
 * What stands around an answer, given by the page.
 * @typedef {object} About
 * @property {string} title The task, in the page's language.
 * @property {string} text
 * @property {Item[]} items What was asked about.
 * @property {boolean} own Whether a picture is the visitor's own and no sample.
 * @property {() => Record<string, string>} code
 * @property {() => void} again Puts the question back to where it was asked.
 * @property {import("./tray.js").Tray} stage
 * @property {import("./sightline.js").Sightline} service
 */

export class AnswerCard {
  /** @type {Map<number, import("./views.js").Finding>} */
  #found = new Map();
  /** @type {(() => void)[]} What is to be given back when the card goes. */
  #leaving = [];
  /** @type {{list: import("./views.js").Moment[], jump: (seconds: number) => void} | null} Times in a clip that the answer names. */
  #moments = null;
  /** @type {Map<number, Pages>} Documents that the stage does not hold any more. */
  #pages = new Map();

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
    for (const { blob } of about.items.slice(0, 4)) if (blob) thumb(blob, blob.type).then((picture) => this.thumbs.append(picture));
    for (const event of ["pointerenter", "focusin"]) this.element.addEventListener(event, () => this.#found.size && this.show());
    this.place();
  }

  /** Says whether its pictures lie on the stage: what was found is then shown there, and not a second time here. */
  place() {
    this.element.toggleAttribute("data-on-stage", this.about.stage.holds(this.about.items));
  }

  /** Shows on the stage what was found, if its pictures lie there. */
  show() {
    const { items, stage } = this.about;
    if (!stage.holds(items) || stage.shown === this) return;
    stage.shown = this;
    stage.show([...this.#found].flatMap(([input, found]) => (items[input] ? [{ item: items[input], ...found }] : [])));
  }

  /** Takes the card off the page for good. */
  dispose() {
    this.element.remove();
    for (const leave of this.#leaving) leave();
    for (const pages of this.#pages.values()) pages.close();
  }

  /**
   * Takes the next event of the stream.
   * @param {StreamEvent} event
   */
  take(event) {
    const waiting = /** @type {Element} */ (this.wait.firstElementChild);
    if (event.type === "accepted" && event.predicted_wait_ms > 500) {
      fill(waiting, "", "answering_queue", { wait: duration(event.predicted_wait_ms) });
    } else if (event.type === "progress") {
      const stage = `stage.${event.stage}`;
      fill(waiting, "", "progress", { stage: has(stage) ? { t: stage } : event.stage, done: event.done, total: event.total });
      this.#advance(event.done, event.total);
    } else if (event.type === "token") {
      if (this.element.dataset.state === "waiting") this.#state("typing");
      this.typewriter.push(event.token);
    }
  }

  /**
   * @param {number} done
   * @param {number} total
   */
  #advance(done, total) {
    const bar = this.wait.querySelector("progress") ?? this.wait.appendChild(h("progress", { label: "progress_label" }));
    bar.max = total;
    bar.value = done;
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
    await this.#dress(final);
    this.#state("done");
    this.show();
  }

  /** An answer of an earlier visit, all at once. @param {Final} final */
  async restore(final) {
    await this.#dress(final);
    this.#state("done");
  }

  /** @param {Final} final */
  async #dress(final) {
    // A structured task says its whole answer last.
    if (this.typewriter.text !== final.answer) this.typed.data = final.answer;
    const { parts, instead } = await this.#views(final);
    if (instead) this.answer.remove();
    else await this.#mark(final.answer);
    if (this.#moments?.list.length) (await import("./timeline.js")).linkMoments(this.answer, this.#moments.list, this.#moments.jump);
    if (!final.answer) this.after.append(h("p", { class: "hint", t: "empty_answer" }));
    this.after.append(confidence(final), ...notices(final, this.about), ...parts, numbers(final), this.#drawers(final));
  }

  /** @param {Final} final */
  async #views(final) {
    const clip = final.metadata.receipts.some(({ kind }) => kind === "video");
    if (!clip && (final.structured === null || typeof final.structured !== "object")) return { parts: [], instead: false };
    const { bareTimeline, findings, moments, views } = await import("./views.js");
    const { items, stage } = this.about;
    const place = {
      figure: (/** @type {number} */ input) => this.#figure(input),
      around: () => [this.element, stage.shots],
      pagesOf: (/** @type {number} */ input) => this.#pagesOf(input),
      seek: (/** @type {number} */ input, /** @type {number} */ seconds) => this.#seek(input, seconds),
      turnTo: (/** @type {number} */ input, /** @type {number} */ page) => {
        const pages = this.#pagesOf(input);
        if (pages) enlarge(pages, page);
        else if (items[input]) stage.shotOf(items[input])?.scrollIntoView({ block: "nearest" });
      },
    };
    this.#found = findings(final);
    const seen = views(final, place);
    const input = final.metadata.receipts.findIndex(({ kind }) => kind === "video");
    if (clip) this.#moments = { list: moments(final.structured), jump: (seconds) => this.#seek(input, seconds) };
    return seen.parts.length || !clip ? seen : { parts: bareTimeline(final, place), instead: false };
  }

  /** @param {string} text */
  async #mark(text) {
    if (!MARKED.test(text)) return;
    const { render } = await import("./markdown.js");
    const blocks = render(text);
    if (!blocks) return;
    const marked = h("div", { class: "answer marked", dir: "auto" }, ...blocks);
    this.answer.replaceWith(marked);
    this.answer = marked;
  }

  /**
   * An input as the card shows it itself, where the stage shows something else or stands far above.
   * @param {number} input
   */
  #figure(input) {
    const item = this.about.items[input];
    if (!item?.blob || item.pages) return null;
    const address = URL.createObjectURL(item.blob);
    this.#leaving.push(() => URL.revokeObjectURL(address));
    if (item.kinds[0] === "video") {
      const clip = h("video", { src: address, controls: true, playsinline: true, preload: "metadata", label: "clip_label", tv: { name: item.name } });
      clip.muted = true;
      return h("figure", { class: "inline", "data-input": input }, clip);
    }
    const image = h("img", { src: address, loading: "lazy", draggable: "false" });
    fill(image, "alt", "picture_alt", { n: input + 1, name: item.name });
    const boxes = this.#found.get(input)?.boxes ?? [];
    return h("figure", { class: "inline", "data-input": input }, image, boxes.length ? layer(image, boxes) : null);
  }

  /** @param {number} input */
  #pagesOf(input) {
    const item = this.about.items[input];
    if (!item?.blob || !item.kinds.includes("document")) return null;
    if (item.pages && this.about.stage.holds([item])) return item.pages;
    const own = this.#pages.get(input) ?? new Pages(this.about.service, item.blob);
    this.#pages.set(input, own);
    return own;
  }

  /**
   * @param {number} input
   * @param {number} seconds
   */
  #seek(input, seconds) {
    const item = this.about.items[input];
    const inline = this.element.querySelector(`figure[data-input="${input}"] video`);
    const shown = inline instanceof HTMLVideoElement && inline.offsetParent ? inline : item ? this.about.stage.clipOf(item) : null;
    if (!(shown instanceof HTMLVideoElement)) return;
    shown.pause();
    shown.currentTime = seconds;
    shown.scrollIntoView({ block: "nearest", behavior: "smooth" });
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
    drawer("receipt", seen ? receiptLine(final) : h("span", { t: "numbers" }), () => receiptPanel(final));
    if (final.structured !== null && final.structured !== undefined) drawer("data", h("span", {}, "JSON"), () => jsonPanel(final.structured));
    drawer("code", h("span", { t: "code" }), () => h("div", {}, h("p", { class: "hint", t: "code_note" }), codePanel(this.about.code())));
    row.append(h("span", { class: "drawer-ends" }, h("button", { type: "button", class: "quiet", t: "again", hint: "again_why", on: { click: this.about.again } }), copyButton(() => final.answer, "copy", "copy_answer")));
    return h("div", {}, row, panels);
  }
}

/** @param {unknown} structured */
function jsonPanel(structured) {
  const text = JSON.stringify(structured, null, 2);
  return h("div", {}, h("div", { class: "code-top" }, h("p", { class: "hint", t: "structured" }), copyButton(() => text)), h("pre", { tabindex: 0 }, text));
}

/** @param {Final} final */
function confidence(final) {
  const value = final.confidence;
  const row = h("div", { class: "confidence" });
  if (value === null || value === undefined) {
    row.append(h("span", { t: "confidence_none" }), why("confidence_none_why", "?"));
    return row;
  }
  row.dataset.level = level(value);
  const share = percent(value);
  const fillIn = tint(h("span", {}), value);
  const bar = h("span", { class: "bar", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share, label: "confidence" }, fillIn);
  fillIn.style.inlineSize = `${share}%`;
  row.append(h("span", { t: "confidence" }), bar, h("b", { t: "confidence_value", tv: { percent: share } }));
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
  if ((about.own || UNTRAINED.has(metadata.task)) && !admitted && SMALL.test(metadata.model)) {
    admitted = true;
    note(h("span", { t: "small_model", tv: { model: metadata.model } }));
  }
  return list.length ? [h("ul", { class: "notices" }, ...list)] : [];
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
