/** A document's pages as pictures: the file is kept at the service for as long as the page needs it, and forgotten again. */

import { h, icon } from "./dom.js";
import { fill } from "./language.js";

/** Pages of one document that are shown; of a longer one the cited ones are shown as well. */
const MOST_SHOWN = 60;

/** Documents that are kept at the service for this page. @type {Set<Pages>} */
const open = new Set();
addEventListener("pagehide", (event) => {
  // A page that may come back from the browser's memory still needs its documents.
  if (!event.persisted) for (const pages of open) pages.close();
});

export class Pages {
  /** @type {Promise<{file_id: string}> | null} */
  #kept = null;
  /** @type {Promise<number> | null} */
  #count = null;
  /** @type {Map<number, Promise<string>>} Object URLs of the pictures, by page. */
  #pictures = new Map();

  /**
   * @param {import("./sightline.js").Sightline} service
   * @param {Blob} blob
   */
  constructor(service, blob) {
    this.service = service;
    this.blob = blob;
  }

  /** The document at the service, to be asked about. It is uploaded once; what failed is tried again the next time. */
  file() {
    open.add(this);
    this.#kept ??= this.service.upload(this.blob).catch((error) => {
      this.#kept = null;
      throw error;
    });
    return this.#kept;
  }

  /** How many pages there are. */
  count() {
    this.#count ??= this.file()
      .then((file) => this.service.get(`files/${file.file_id}/pages`))
      .then(({ pages }) => pages)
      .catch((error) => {
        this.#count = null;
        throw error;
      });
    return this.#count;
  }

  /**
   * The address of a page's picture.
   * @param {number} number From 1.
   */
  picture(number) {
    const known = this.#pictures.get(number);
    if (known) return known;
    const picture = this.file()
      .then((file) => this.service.call(`files/${file.file_id}/pages/${number}.jpg`))
      .then((response) => response.blob())
      .then((blob) => URL.createObjectURL(blob));
    picture.catch(() => this.#pictures.delete(number));
    this.#pictures.set(number, picture);
    return picture;
  }

  /**
   * Forgets the document here and at the service; what cannot be forgotten there now expires by itself. Who asks for a page
   * again uploads it again.
   */
  close() {
    open.delete(this);
    this.#kept?.then((file) => this.service.forget(file)).catch(() => undefined);
    for (const picture of this.#pictures.values()) picture.then((address) => URL.revokeObjectURL(address)).catch(() => undefined);
    this.#kept = this.#count = null;
    this.#pictures.clear();
  }
}

/** Pictures are fetched when they come into view. */
const arriving = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      arriving.unobserve(target);
      target.dispatchEvent(new CustomEvent("arrive"));
    }
  },
  { rootMargin: "300px" },
);

/**
 * One page as a button that opens it large.
 * @param {Pages} pages
 * @param {number} number
 * @param {() => void} [open]
 */
export function sheet(pages, number, open = () => enlarge(pages, number)) {
  const image = h("img", { alt: "", draggable: "false" });
  const button = h("button", { type: "button", class: "sheet", "data-page": number, label: "page_open", tv: { n: number }, on: { click: open } }, image, h("span", { class: "page-number", "aria-hidden": "true" }, String(number)));
  button.addEventListener("arrive", async () => {
    try {
      image.src = await pages.picture(number);
    } catch {
      button.classList.add("missing");
    }
  });
  arriving.observe(button);
  return button;
}

/**
 * All pages of a document, as far as they are shown.
 * @param {Pages} pages
 * @param {string} name
 */
export function sheets(pages, name) {
  const list = h("div", { class: "sheets" });
  const title = h("p", { class: "sheets-title" }, icon("file"), h("span", { class: "tile-name", title: name }, name), h("span", { class: "hint sheets-count" }));
  const all = h("div", { class: "document" }, title, list);
  pages.count().then(
    (count) => {
      fill(/** @type {Element} */ (title.querySelector(".sheets-count")), "", "page_count", { n: count });
      for (let number = 1; number <= Math.min(count, MOST_SHOWN); number += 1) list.append(sheet(pages, number));
      if (count > MOST_SHOWN) list.append(h("p", { class: "hint", t: "page_more", tv: { n: count - MOST_SHOWN } }));
      all.dispatchEvent(new CustomEvent("counted", { bubbles: true }));
    },
    (error) => list.append(h("p", { class: "hint" }, error?.kind === "service" && error.code !== 4001 ? error.message : ""), h("p", { class: "hint", t: "no_preview" })),
  );
  return all;
}

/**
 * Shows a page as large as the window allows; arrows turn the pages.
 * @param {Pages} pages
 * @param {number} first
 */
export async function enlarge(pages, first) {
  let number = first;
  const image = h("img", { alt: "" });
  const title = h("p", { class: "dialog-title", "aria-live": "polite" });
  const step = (/** @type {number} */ by) => show(number + by);
  const before = h("button", { type: "button", class: "quiet round", label: "page_before", on: { click: () => step(-1) } }, icon("left"));
  const after = h("button", { type: "button", class: "quiet round", label: "page_after", on: { click: () => step(1) } }, icon("right"));
  const close = h("button", { type: "button", class: "quiet round", label: "close", on: { click: () => dialog.close() } }, icon("close"));
  const dialog = h("dialog", { class: "large", label: "page_large" }, h("div", { class: "dialog-top" }, before, title, after, close), h("div", { class: "dialog-view" }, image));
  const count = await pages.count();
  /** @param {number} wanted */
  async function show(wanted) {
    number = Math.max(1, Math.min(count, wanted));
    before.disabled = number === 1;
    after.disabled = number === count;
    fill(title, "", "page_of", { n: number, total: count });
    const address = await pages.picture(number).catch(() => "");
    if (address) image.src = address;
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  await show(first);
}
