/** How sure a value is, shown quietly: a tint between amber and green, the number itself for who asks. */

import { h } from "./dom.js";
import { fill } from "./language.js";

/** Below this, a person is asked to look for themselves. */
export const UNSURE = 0.6;
const FAIR = 0.85;

/** @param {unknown} value @returns {value is number} */
export const known = (value) => typeof value === "number" && value >= 0 && value <= 1;

/**
 * @param {number} value
 * @returns {"low" | "fair" | "high"}
 */
export function level(value) {
  return value < UNSURE ? "low" : value < FAIR ? "fair" : "high";
}

/**
 * Percent as it is told: never rounded up to certainty.
 * @param {number} value
 */
export const percent = (value) => Math.floor(value * 100);

/**
 * Gives an element the colour of its sureness, and its title the number; one without a confidence stays plain.
 * @template {HTMLElement | SVGElement} T
 * @param {T} element
 * @param {unknown} value
 * @returns {T}
 */
export function tint(element, value) {
  if (!known(value)) return element;
  element.classList.add("tinted");
  element.dataset.level = level(value);
  // Half sure and less is amber, wholly sure is green.
  element.style.setProperty("--sure", `${Math.round(100 * Math.max(0, Math.min(1, (value - 0.5) * 2)))}%`);
  if (element instanceof HTMLElement) fill(element, "title", "sure", { percent: percent(value) });
  return element;
}

/**
 * A small dot beside a value; a screen reader hears the number.
 * @param {unknown} value
 */
export function dot(value) {
  if (!known(value)) return null;
  const mark = tint(h("span", { class: "sure" }), value);
  mark.append(h("span", { class: "heard", t: "sure", tv: { percent: percent(value) } }));
  return mark;
}
