/** Boxes over a picture: one layer that follows the picture's size on the page, and lists that light up what they name. */

import { level, known } from "./sureness.js";

const SVG = "http://www.w3.org/2000/svg";
/** Side of a label's letters on the screen, in CSS pixels. */
const LETTERS = 13;
const COLOURS = 6;

/**
 * A box in pixels of the picture as it is displayed: left, top, right, bottom. Boxes of one `group` share a colour.
 * @typedef {{box: number[], label: string, confidence?: number | null, group?: number, quiet?: boolean, differs?: boolean, key: string}} Box
 */

/**
 * @param {string} name
 * @param {Record<string, string | number | null | undefined>} [attributes]
 * @param {...(Node | string | null)} children
 */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, String(value));
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/**
 * A layer that lies over an image that is fitted into its place with `object-fit: contain`, or fills it.
 * @param {HTMLImageElement} image
 * @param {readonly Box[]} boxes
 */
export function layer(image, boxes) {
  const svg = /** @type {SVGSVGElement} */ (s("svg", { class: "marks", "aria-hidden": "true" }));
  const draw = () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    if (!width || !height) return;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren(...boxes.map((box) => mark(box, width, height)));
    size();
  };
  const size = () => {
    const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
    if (scale > 0) svg.style.fontSize = `${LETTERS / scale}px`;
  };
  if (image.complete) draw();
  image.addEventListener("load", draw);
  new ResizeObserver(size).observe(image);
  return svg;
}

/**
 * @param {Box} box
 * @param {number} width
 * @param {number} height
 */
function mark({ box, label, confidence, group = 0, quiet, differs, key }, width, height) {
  const [left, top, right, bottom] = box;
  const low = known(confidence) && level(confidence) === "low";
  const shape = s("rect", { x: left, y: top, width: Math.max(1, right - left), height: Math.max(1, bottom - top), rx: Math.min(width, height) / 200 });
  // A label stands above its box, or inside it at the picture's edge.
  const above = top > height * 0.06;
  const text = label ? s("text", { x: left, y: top, dy: above ? "-0.35em" : "1.1em", dx: above ? 0 : "0.3em" }, label.length > 40 ? `${label.slice(0, 39)}…` : label) : null;
  return s("g", { class: `mark c${group % COLOURS}${low ? " low" : ""}${quiet ? " quiet" : ""}${differs ? " differs" : ""}`, "data-key": key }, shape, text);
}

/**
 * Lights up everything of a name, in lists and over pictures, while it is pointed at or has the focus.
 * @param {Element} element What is pointed at; its `data-key` is the name.
 * @param {() => ParentNode[]} places Where marks of that name may be.
 */
export function lights(element, places) {
  const set = (/** @type {boolean} */ on) => {
    const key = /** @type {HTMLElement} */ (element).dataset.key ?? "";
    for (const place of places()) {
      for (const other of place.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)) other.classList.toggle("lit", on);
      for (const drawing of place.querySelectorAll(".marks")) drawing.classList.toggle("choosing", on);
    }
  };
  for (const event of ["pointerenter", "focusin"]) element.addEventListener(event, () => set(true));
  for (const event of ["pointerleave", "focusout"]) element.addEventListener(event, () => set(false));
}
