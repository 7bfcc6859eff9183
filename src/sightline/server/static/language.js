/** The page's language: which one it is, what is said in it, and how an element keeps its text when it changes. */

import { TEXTS } from "./texts.js";

/** @typedef {"zh" | "en"} Language */

const KEPT = "sightline.language";

/** @type {Language} */
let current = "en";

/** The language of the page. */
export function language() {
  return current;
}

/** The language a visitor last chose, or the first of the browser's that is one of ours. */
export function preferred() {
  const kept = read(KEPT);
  if (kept === "zh" || kept === "en") return kept;
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.toLowerCase().split("-")[0]);
  return wanted.find((tag) => tag === "zh" || tag === "en") === "zh" ? "zh" : "en";
}

/**
 * Turns the page to a language; `keep` remembers it for the next visit.
 * @param {Language} wanted
 * @param {{keep?: boolean}} [settings]
 */
export function setLanguage(wanted, { keep = false } = {}) {
  current = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.language = wanted;
  if (keep) write(KEPT, wanted);
  translate(document.documentElement);
  document.dispatchEvent(new CustomEvent("language", { detail: wanted }));
}

/**
 * A text in the page's language; a text without an entry is given back as it is. A gap may be filled by another text:
 * `{t: name, ...values}`.
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 * @returns {string}
 */
export function say(key, values = {}) {
  const entry = TEXTS[key];
  if (!entry) return key;
  return entry[current === "zh" ? 1 : 0].replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    const value = /** @type {any} */ (values[name]);
    const shown = typeof value === "number" ? number(value) : value?.t ? say(value.t, value) : String(value ?? "");
    return one === undefined ? shown : `${shown} ${value === 1 ? one : many}`;
  });
}

/**
 * Whether there is a text of this name.
 * @param {string} key
 */
export function has(key) {
  return key in TEXTS;
}

/**
 * A number as the page's language writes it.
 * @param {number} value
 */
export function number(value) {
  return new Intl.NumberFormat(current === "zh" ? "zh-CN" : "en", { maximumFractionDigits: 2 }).format(value);
}

/**
 * A time, to fill a gap with: milliseconds below ten seconds, seconds above.
 * @param {number} ms
 */
export function duration(ms) {
  return ms < 10_000 ? { t: "ms", n: Math.round(ms) } : { t: "seconds", n: Math.round(ms / 100) / 10 };
}

/** Attribute of the text's name, by what it fills: an empty name is the element's own text. */
const SLOTS = { "": "data-t", "aria-label": "data-t-label", title: "data-t-title", placeholder: "data-t-placeholder", alt: "data-t-alt" };

/**
 * Gives an element a text that follows the language.
 * @param {Element} element
 * @param {keyof typeof SLOTS} slot
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 */
export function fill(element, slot, key, values) {
  element.setAttribute(SLOTS[slot], key);
  if (values) element.setAttribute(`${SLOTS[slot]}-v`, JSON.stringify(values));
  else element.removeAttribute(`${SLOTS[slot]}-v`);
  show(element, slot);
}

/**
 * @param {Element} element
 * @param {keyof typeof SLOTS} slot
 */
function show(element, slot) {
  const key = element.getAttribute(SLOTS[slot]);
  if (key === null) return;
  const values = JSON.parse(element.getAttribute(`${SLOTS[slot]}-v`) ?? "{}");
  if (slot) element.setAttribute(slot, say(key, values));
  else element.textContent = say(key, values);
}

/** @param {Element} root */
function translate(root) {
  for (const slot of /** @type {(keyof typeof SLOTS)[]} */ (Object.keys(SLOTS))) {
    for (const element of root.querySelectorAll(`[${SLOTS[slot]}]`)) show(element, slot);
  }
}

/**
 * What the browser keeps under a name, or null; some browsers refuse storage altogether.
 * @param {string} name
 */
export function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function write(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A private window: the choice lasts as long as the page.
  }
}
