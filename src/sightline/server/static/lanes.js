/** The lanes of the console: how each stands, how it went, and its tap. */

import { course } from "./course.js";
import { h } from "./dom.js";
import { duration, fill } from "./language.js";

/**
 * @typedef {{waiting: number[], running: number[], predicted_wait_ms: number[], p50_ms: (number | null)[], p99_ms: (number | null)[], answered: number[], refused: number[]}} Course
 * @typedef {{name: string, state: "open" | "paused" | "draining", slots: number, running: number, waiting: number, most_waiting: number, waiting_tokens: number, predicted_wait_ms: number, first_token: {count: number, p50_ms: number | null, p99_ms: number | null}, course: Course}} LaneState
 */

const TAPS = /** @type {const} */ (["open", "paused", "draining"]);
/** Slots of a lane that are drawn one by one. */
const MOST_DRAWN = 32;
const sum = (/** @type {number[]} */ values) => values.reduce((all, value) => all + value, 0);

export class LaneCard {
  /**
   * @param {LaneState} lane
   * @param {(state: LaneState["state"]) => Promise<LaneState | null>} turn
   */
  constructor(lane, turn) {
    const title = h("div", { class: "lane-title" }, h("h3", { t: `lane.${lane.name}` }));
    this.state = h("span", { class: "lane-state" });
    this.slots = h("div", { class: "slots", role: "img" });
    /** @type {Record<string, HTMLElement>} */
    this.figures = {};
    const figures = ["running", "waiting", "predicted", "first_p50", "first_p99", "recent_calls"].map((name) => {
      this.figures[name] = h("dd", {});
      return h("div", {}, h("dt", { t: name }), this.figures[name]);
    });
    this.load = course("course_load", [{ t: "waiting", c: 0 }, { t: "running", c: 2 }]);
    this.first = course("course_first", [{ t: "first_p50", c: 0 }, { t: "p99", c: 1 }]);
    this.taps = TAPS.map((state) => {
      const button = h("button", { type: "button", class: "quiet", "aria-pressed": "false", "data-state": state, t: `tap.${state}`, hint: `tap.${state}.why`, label: "tap_label", tv: { lane: lane.name, what: { t: `tap.${state}` } } });
      fill(button, "", `tap.${state}`);
      fill(button, "title", `tap.${state}.why`);
      button.addEventListener("click", async () => {
        const turned = await turn(state);
        if (turned) this.show(turned);
      });
      return button;
    });
    this.element = h(
      "article",
      { class: "lane", "data-lane": lane.name },
      h("header", { class: "lane-head" }, h("span", { class: "lane-letter", "aria-hidden": "true" }, lane.name), title, this.state),
      this.slots,
      h("dl", { class: "figures" }, ...figures),
      this.load.element,
      this.first.element,
      h("div", { class: "taps", role: "group", label: "lane", tv: { lane: lane.name } }, ...this.taps),
    );
    this.show(lane);
  }

  /** @param {LaneState} lane */
  show(lane) {
    this.element.dataset.state = lane.state;
    fill(this.state, "", `state.${lane.state}`);
    for (const tap of this.taps) tap.setAttribute("aria-pressed", String(tap.dataset.state === lane.state));
    const drawn = Math.min(lane.slots, MOST_DRAWN);
    const busy = Math.round((drawn * Math.min(lane.running, lane.slots)) / Math.max(1, lane.slots));
    while (this.slots.children.length > drawn) this.slots.lastElementChild?.remove();
    while (this.slots.children.length < drawn) this.slots.append(h("span", { class: "slot" }));
    [...this.slots.children].forEach((slot, index) => slot.classList.toggle("on", index < busy));
    fill(this.slots, "aria-label", "slots", { running: lane.running, slots: lane.slots });
    const { first_token: first, course: went } = lane;
    const of = (/** @type {string} */ name, /** @type {number} */ value, /** @type {number} */ n) => this.figures[name].replaceChildren(h("span", { t: "plain", tv: { value } }), " ", h("span", { class: "of", t: "of", tv: { n } }));
    const time = (/** @type {string} */ name, /** @type {number | null} */ ms) => fill(this.figures[name], "", "plain", { value: ms === null ? "–" : duration(ms) });
    of("running", lane.running, lane.slots);
    of("waiting", lane.waiting, lane.most_waiting);
    time("predicted", lane.predicted_wait_ms);
    time("first_p50", first.p50_ms);
    time("first_p99", first.p99_ms);
    fill(this.figures.recent_calls, "", "plain", { value: sum(went.answered) + sum(went.refused) });
    this.load.redraw([{ class: "area", values: went.waiting, filled: true }, { class: "area run", values: went.running, filled: true }], Math.max(4, lane.slots), (most) => most, lane.name);
    this.first.redraw([{ class: "p99", values: went.p99_ms }, { class: "p50", values: went.p50_ms }], 100, (most) => duration(most), lane.name);
  }
}
