/** Elements, written as calls. Text is always text: nothing here or elsewhere on the page parses HTML. */

import { fill } from "./language.js";

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element. `t` names its text (`tv` fills the text's gaps), `label`, `hint` and `prompt` name the texts of
 * `aria-label`, `title` and `placeholder`; `on` holds listeners; anything else is an attribute.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false || name === "tv") continue;
    if (name === "t") fill(element, "", value, props.tv);
    else if (name === "label") fill(element, "aria-label", value, props.tv);
    else if (name === "hint") fill(element, "title", value, props.tv);
    else if (name === "prompt") fill(element, "placeholder", value, props.tv);
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/**
 * An icon of the page's sprite.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/**
 * Descriptions are plain text with `code` in backticks.
 * @param {string} text
 */
export function prose(text) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

/**
 * The element with an id, which the page always has.
 * @param {string} id
 * @returns {any}
 */
export function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * A button that copies, and says that it did.
 * @param {() => string} text
 * @param {string} [key] The text of its name.
 * @param {string} [label] The text of its name for who hears it, which begins with the name.
 */
export function copyButton(text, key = "copy", label = undefined) {
  const button = h("button", { type: "button", class: "quiet", t: key, label, on: { click: copy } });
  async function copy() {
    fill(button, "", (await toClipboard(text())) ? "copied" : "not_copied");
    setTimeout(() => fill(button, "", key), 1600);
  }
  return button;
}

/**
 * Whether the text is on the clipboard now. Browsers offer the modern way only over https and on this very machine.
 * @param {string} text
 */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "heard", "aria-hidden": "true" });
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus();
    return copied;
  }
}
