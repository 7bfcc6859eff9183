/** The course of a figure over the last minutes, as a small drawing. */

import { h } from "./dom.js";
import { fill } from "./language.js";
import { s } from "./marks.js";

/** Slots of the history, all of which a drawing has room for, so that time stands still while a service is young. */
const SLOTS = 180;
const HEIGHT = 100;

/**
 * A path through the points that there are; it breaks where there are none.
 * @param {(number | null)[]} values
 * @param {number} most
 */
function line(values, most) {
  const from = SLOTS - values.length;
  let open = false;
  return values
    .map((value, index) => {
      if (value === null) return (open = false), "";
      const step = `${open ? "L" : "M"}${from + index} ${(HEIGHT * (1 - value / most)).toFixed(1)}`;
      // A single value between silences is a point.
      const alone = !open && (values[index + 1] ?? null) === null;
      open = true;
      return alone ? `${step}h0.01` : step;
    })
    .join("");
}

/** @param {number[]} values @param {number} most */
function area(values, most) {
  const from = SLOTS - values.length;
  const top = values.map((value, index) => `L${from + index} ${(HEIGHT * (1 - value / most)).toFixed(1)}L${from + index + 1} ${(HEIGHT * (1 - value / most)).toFixed(1)}`).join("");
  return `M${from} ${HEIGHT}${top}L${SLOTS} ${HEIGHT}Z`;
}

/**
 * One drawing with its title; `redraw` brings it up to date.
 * @param {string} title The text of what it shows.
 * @param {{t: string, c: number}[]} legend
 */
export function course(title, legend) {
  const svg = s("svg", { viewBox: `0 0 ${SLOTS} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const most = h("span", {});
  const names = legend.map(({ t, c }) => h("span", { class: `keyed c${c}`, t }));
  const element = h("div", { class: "course" }, h("p", { class: "course-title" }, h("span", {}, ...(names.length ? names.flatMap((name) => [name, " "]) : [h("span", { t: title })])), most), svg);
  return {
    element,
    /**
     * @param {{class: string, values: (number | null)[], filled?: boolean}[]} lines
     * @param {number} least The drawing is at least so high.
     * @param {(most: number) => unknown} tell The highest value, as it is said.
     * @param {string} lane
     */
    redraw(lines, least, tell, lane) {
      const highest = Math.max(0, ...lines.flatMap(({ values }) => values.filter((value) => value !== null)));
      const scale = Math.max(least, highest * 1.08);
      const told = { t: "course_most", value: tell(highest) };
      fill(most, "", highest ? "course_most" : "none_yet", highest ? { value: told.value } : {});
      fill(svg, "aria-label", "course_label", { what: { t: title }, lane, most: highest ? told : { t: "none_yet" } });
      const drawn = lines.map((each) => s("path", { class: each.class, d: each.filled ? area(/** @type {number[]} */ (each.values), scale) : line(each.values, scale) }));
      svg.replaceChildren(s("line", { class: "base", x1: 0, x2: SLOTS, y1: HEIGHT, y2: HEIGHT }), ...drawn);
    },
  };
}
