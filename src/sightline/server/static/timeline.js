/** A clip's time as a line: where the model looked, and the moments that the answer speaks of, which jump there. */

import { h } from "./dom.js";
import { fill } from "./language.js";
import { dot } from "./sureness.js";

/**
 * Seconds as a person says them: 0:07, or 0:07.5 where halves matter.
 * @param {number} seconds
 */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
  return `${minutes}:${String(Math.floor(rest / 10)).padStart(2, "0")}${rest % 10 ? `.${rest % 10}` : ""}`;
}

/**
 * Makes the times that an answer names lead there.
 * @param {Element} answer
 * @param {readonly import("./views.js").Moment[]} moments
 * @param {(seconds: number) => void} jump
 */
export function linkMoments(answer, moments, jump) {
  const named = moments.filter(({ text }) => text);
  const walker = document.createTreeWalker(answer, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const texts = [];
  while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
  for (const text of texts) {
    let rest = text;
    for (let found = next(rest.data, named); found; found = next(rest.data, named)) {
      const at = rest.splitText(found.index);
      rest = at.splitText(found.moment.text.length);
      const { seconds } = found.moment;
      const button = h("button", { type: "button", class: "moment-link", on: { click: () => jump(seconds) } }, found.moment.text);
      fill(button, "title", "timeline_jump", { time: clock(seconds) });
      at.replaceWith(button);
    }
  }
}

/** @param {string} text @param {readonly import("./views.js").Moment[]} moments */
function next(text, moments) {
  const found = moments.map((moment) => ({ moment, index: text.indexOf(moment.text) })).filter(({ index }) => index >= 0);
  return found.sort((a, b) => a.index - b.index || b.moment.text.length - a.moment.text.length)[0];
}

/**
 * @param {import("./sightline.js").Receipt} clip
 * @param {import("./views.js").Moment[]} moments
 * @param {string} answer Times that it names itself are not listed again.
 * @param {import("./views.js").Place} place
 */
export function timeline(clip, moments, answer, place) {
  const seen = clip.timestamps ?? [];
  const length = Math.max(clip.seconds ?? 0, ...seen, ...moments.map(({ seconds, end }) => end ?? seconds), 0.1);
  const at = (/** @type {number} */ seconds) => `${(100 * Math.min(1, Math.max(0, seconds / length))).toFixed(2)}%`;
  const line = h("div", { class: "timeline", role: "group", label: "timeline" });
  const used = Math.min(length, 30);
  if (clip.changes?.includes("clipped") || length > used) {
    const unseen = h("span", { class: "unseen", hint: "timeline_unseen" });
    unseen.style.insetInlineStart = at(Math.max(used, ...seen));
    line.append(unseen);
  }
  for (const second of seen) {
    const tick = h("span", { class: "frame-tick", "aria-hidden": "true" });
    tick.style.insetInlineStart = at(second);
    line.append(tick);
  }
  const jump = (/** @type {number} */ seconds) => place.seek(clip.index, seconds);
  moments.forEach(({ seconds, end }, index) => {
    if (end !== null && end > seconds) {
      const span = h("span", { class: `stretch c${index % 6}` });
      span.style.insetInlineStart = at(seconds);
      span.style.inlineSize = at(end - seconds);
      line.append(span);
    }
    const mark = h("button", { type: "button", class: "moment-mark", label: "timeline_jump", tv: { time: clock(seconds) }, on: { click: () => jump(seconds) } });
    mark.style.insetInlineStart = at(seconds);
    line.append(mark);
  });
  line.addEventListener("click", (event) => {
    const { left, width } = line.getBoundingClientRect();
    if (event.target === line) jump(((event.clientX - left) / width) * length);
  });
  const scale = h("p", { class: "timeline-scale" }, h("span", {}, clock(0)), h("span", { t: "timeline_seen", tv: { n: seen.length } }), h("span", {}, clock(length)));
  const listed = moments.filter(({ text }) => !text || !answer.includes(text));
  const rows = listed.map(({ seconds, end, text, confidence }) => {
    const time = h("button", { type: "button", class: "cite-page", on: { click: () => jump(seconds) } }, end === null ? clock(seconds) : `${clock(seconds)} – ${clock(end)}`);
    fill(time, "aria-label", "timeline_jump", { time: time.textContent });
    return h("li", {}, time, text ? h("span", { dir: "auto" }, text) : null, dot(confidence));
  });
  return h("section", { class: "clip" }, place.figure(clip.index), line, scale, rows.length ? h("ul", { class: "moments" }, ...rows) : null);
}
