/** The tray of pictures to ask about: dropped, pasted, chosen, given by address, or a sample. */

import { $, h, icon } from "./dom.js";
import { fill, language, say } from "./language.js";

/**
 * One input. Exactly one of `blob` (its content) and `address` is there; `sample` says that it came with the page.
 * @typedef {{id: number, name: string, blob: Blob | null, address: string | null, preview: string | null, sample: import("./samples.js").Sample | null}} Attachment
 */

export class Tray {
  /** @type {Attachment[]} */
  items = [];
  #count = 0;
  /** Most inputs that the chosen task takes. */
  most = 16;

  /**
   * @param {import("./samples.js").Sample[]} samples
   * @param {(text: string) => void} announce
   */
  constructor(samples, announce) {
    this.announce = announce;
    /** @type {() => void} */
    this.onchange = () => undefined;
    this.stage = $("stage");
    this.shots = $("shots");
    for (const sample of samples) $("samples").append(this.#sampleButton(sample));
    for (const place of [$("choose"), $("empty")]) place.addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      this.addFiles([...$("file").files]);
      $("file").value = "";
    });
    $("by-address").addEventListener("click", () => this.#toggleAddress());
    $("address-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#submitAddress();
    });
    this.#listenForDrops();
    document.addEventListener("paste", (event) => this.#paste(event));
  }

  /** @param {readonly File[]} files */
  addFiles(files) {
    this.#add(files.map((file) => ({ name: file.name || "picture.png", blob: file, address: null, sample: null })));
  }

  /** @param {string} address */
  addAddress(address) {
    this.#add([{ name: nameOf(address), blob: null, address, sample: null }]);
  }

  /**
   * Looks at a sample instead of what lies there; `ifEmpty` leaves alone what a quick visitor has put there meanwhile.
   * @param {import("./samples.js").Sample} sample
   * @param {{ifEmpty?: boolean}} [settings]
   */
  async addSample(sample, { ifEmpty = false } = {}) {
    const response = await fetch(new URL(`samples/${sample.file}`, import.meta.url)).catch(() => null);
    if (!response?.ok) return;
    const blob = await response.blob();
    if (ifEmpty && this.items.length) return;
    this.clear();
    this.#add([{ name: sample.file, blob, address: null, sample }]);
  }

  clear() {
    for (const item of this.items) if (item.preview) URL.revokeObjectURL(item.preview);
    this.items = [];
  }

  /** @param {number} id */
  remove(id) {
    const index = this.items.findIndex((item) => item.id === id);
    if (index < 0) return;
    const [gone] = this.items.splice(index, 1);
    if (gone.preview) URL.revokeObjectURL(gone.preview);
    this.announce(say("removed", { name: gone.name }));
    this.#render();
    const next = this.shots.querySelectorAll("button")[Math.min(index, this.items.length - 1)];
    (next ?? $("choose")).focus();
  }

  /** The sample that is being looked at, if nothing else is. */
  get sample() {
    return this.items.length === 1 ? this.items[0].sample : null;
  }

  /** @param {Omit<Attachment, "id" | "preview">[]} news */
  #add(news) {
    // A person's own pictures take the place of a sample.
    if (news.length && this.items.some((item) => item.sample)) this.clear();
    const room = this.most - this.items.length;
    if (news.length > room) this.announce(say("too_many", { n: this.most }));
    for (const item of news.slice(0, room)) {
      const preview = item.blob ? URL.createObjectURL(item.blob) : null;
      this.items.push({ ...item, id: (this.#count += 1), preview });
      this.announce(say("added", { name: item.name }));
    }
    this.#render();
  }

  #render() {
    this.stage.dataset.count = String(this.items.length);
    this.shots.replaceChildren(...this.items.map((item, index) => this.#shot(item, index + 1)));
    $("sample-note").hidden = !this.sample;
    for (const button of $("samples").children) button.setAttribute("aria-pressed", String(button.dataset.file === this.sample?.file));
    this.onchange();
  }

  /**
   * @param {Attachment} item
   * @param {number} n
   */
  #shot(item, n) {
    const shot = h("li", { class: "shot" });
    if (item.preview) {
      const image = h("img", { src: item.preview, draggable: "false" });
      fill(image, "alt", "picture_alt", { n, name: item.name });
      image.addEventListener("error", () => image.replaceWith(tile("file", item.name, "no_preview")));
      shot.append(image);
    } else {
      shot.append(tile("link", item.name, "fetched_by_service", item.address ?? ""));
    }
    const remove = h("button", { type: "button", class: "remove", label: "remove", tv: { name: item.name } }, icon("close"));
    remove.addEventListener("click", () => this.remove(item.id));
    if (this.items.length > 1) shot.append(h("span", { class: "number", "aria-hidden": "true" }, String(n)));
    shot.append(remove);
    return shot;
  }

  /** @param {import("./samples.js").Sample} sample */
  #sampleButton(sample) {
    const image = h("img", { src: new URL(`samples/${sample.file}`, import.meta.url), alt: "", draggable: "false" });
    const button = h("button", { type: "button", class: "sample", "data-file": sample.file, "aria-pressed": "false" }, image);
    const name = () => fill(button, "aria-label", "sample_label", { title: sample.title[language()] });
    name();
    document.addEventListener("language", name);
    button.addEventListener("click", () => this.addSample(sample));
    return button;
  }

  #toggleAddress() {
    const form = $("address-form");
    form.hidden = !form.hidden;
    $("by-address").setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) $("address").focus();
  }

  #submitAddress() {
    const address = $("address").value.trim();
    const valid = /^https?:\/\/\S+$/i.test(address) && URL.canParse(address);
    if (valid) fill($("address-said"), "", "");
    else fill($("address-said"), "", "address_bad");
    $("address").setAttribute("aria-invalid", String(!valid));
    if (!valid) return;
    this.addAddress(address);
    $("address").value = "";
  }

  #listenForDrops() {
    let depth = 0;
    /** @param {DragEvent} event */
    const carries = (event) => [...(event.dataTransfer?.types ?? [])].some((type) => type === "Files" || type === "text/uri-list");
    const hover = (/** @type {number} */ next) => {
      depth = Math.max(0, next);
      document.documentElement.toggleAttribute("data-dragging", depth > 0);
    };
    addEventListener("dragenter", (event) => carries(event) && hover(depth + 1));
    addEventListener("dragleave", (event) => carries(event) && hover(depth - 1));
    addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    });
    addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      hover(0);
      const files = [...(event.dataTransfer?.files ?? [])];
      const address = event.dataTransfer?.getData("text/uri-list").split(/\r?\n/).find((line) => /^https?:/i.test(line));
      if (files.length) this.addFiles(files);
      else if (address) this.addAddress(address);
    });
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain").trim() ?? "";
    // Text goes into the field that it was pasted into, also where a spreadsheet offers a picture of it as well.
    if (text && /^(INPUT|TEXTAREA)$/.test(/** @type {Element} */ (event.target).tagName)) return;
    if (files.length) this.addFiles(files);
    else if (/^https?:\/\/\S+$/i.test(text)) this.addAddress(text);
    else return;
    event.preventDefault();
  }
}

/**
 * What stands in for a picture that cannot be shown here.
 * @param {string} symbol
 * @param {string} name
 * @param {string} key
 * @param {string} [full]
 */
function tile(symbol, name, key, full = name) {
  return h("div", { class: "tile" }, icon(symbol), h("p", { class: "tile-name", title: full }, name), h("p", { class: "hint", t: key }));
}

/**
 * A short name for an address: its last part, or its host.
 * @param {string} address
 */
function nameOf(address) {
  const url = new URL(address);
  const last = url.pathname.split("/").filter(Boolean).pop() ?? url.host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/**
 * An input as the service's client takes it.
 * @param {Attachment} item
 * @returns {import("./sightline.js").Media}
 */
export function toMedia(item) {
  return item.address ?? /** @type {Blob} */ (item.blob);
}
