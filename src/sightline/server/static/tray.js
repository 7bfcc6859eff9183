/** The tray of pictures, documents and clips to ask about: dropped, pasted, chosen, taken, given by address, or a sample. */

import { hasCamera, shoot } from "./camera.js";
import { $, h, icon } from "./dom.js";
import { acceptOf, kindsOf } from "./kinds.js";
import { fill, language, say } from "./language.js";
import { layer } from "./marks.js";
import { Pages, sheets } from "./pages.js";

/**
 * One input. Exactly one of `blob` (its content) and `address` is there; `sample` says that it came with the page.
 * @typedef {{id: number, name: string, kinds: import("./kinds.js").Kind[], blob: Blob | null, address: string | null, preview: string | null, pages: Pages | null, sample: import("./samples.js").Sample | null}} Attachment
 */

export class Tray {
  /** @type {Attachment[]} */
  items = [];
  #count = 0;
  /** @type {import("./sightline.js").TaskInfo | null} The chosen task: what it takes is what the chooser offers. */
  #task = null;

  /**
   * @param {import("./sightline.js").Sightline} service
   * @param {import("./samples.js").Sample[]} samples
   * @param {(text: string) => void} announce
   */
  constructor(service, samples, announce) {
    this.service = service;
    this.announce = announce;
    /** @type {unknown} Whose findings are shown on the pictures. */
    this.shown = null;
    /** @type {() => void} */
    this.onchange = () => undefined;
    /** @type {(items: Attachment[]) => void} A person's own inputs came, or a sample was chosen. */
    this.onarrival = () => undefined;
    this.stage = $("stage");
    this.shots = $("shots");
    for (const sample of samples) $("samples").append(this.#sampleButton(sample));
    for (const place of [$("choose"), $("empty")]) place.addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      this.addFiles([...$("file").files]);
      $("file").value = "";
    });
    $("camera").hidden = !hasCamera();
    $("camera").addEventListener("click", async () => {
      const taken = await shoot(this.#task?.media.kinds.join() === "video");
      if (taken) this.addFiles([taken]);
    });
    $("by-address").addEventListener("click", () => this.#toggleAddress());
    $("address-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#submitAddress();
    });
    this.#listenForDrops();
    document.addEventListener("paste", (event) => this.#paste(event));
  }

  /** @param {import("./sightline.js").TaskInfo} task */
  serve(task) {
    this.#task = task;
    $("file").accept = acceptOf(task.media.kinds);
    $("file").multiple = task.media.most > 1;
  }

  /** Most inputs that the chosen task takes. */
  get most() {
    return this.#task?.media.most ?? 16;
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
    this.#add([{ name: sample.file, blob, address: null, sample }], !ifEmpty);
  }

  /**
   * Puts earlier inputs back, to be asked about again.
   * @param {readonly {name: string, blob: Blob | null, address: string | null}[]} items
   */
  restore(items) {
    this.clear();
    this.#add(items.map(({ name, blob, address }) => ({ name, blob, address, sample: null })));
  }

  clear() {
    for (const item of this.items) drop(item);
    this.items = [];
  }

  /** @param {number} id */
  remove(id) {
    const index = this.items.findIndex((item) => item.id === id);
    if (index < 0) return;
    const [gone] = this.items.splice(index, 1);
    drop(gone);
    this.announce(say("removed", { name: gone.name }));
    this.#render();
    const next = this.shots.querySelectorAll(".remove")[Math.min(index, this.items.length - 1)];
    (next ?? $("choose")).focus();
  }

  /** The sample that is being looked at, if nothing else is. */
  get sample() {
    return this.items.length === 1 ? this.items[0].sample : null;
  }

  /** @param {Omit<Attachment, "id" | "preview" | "kinds" | "pages">[]} news @param {boolean} [chosen] Whether a person chose them. */
  #add(news, chosen = true) {
    // A person's own pictures take the place of a sample, and so does what cannot be asked about together with it.
    if (news.length && this.items.some((item) => item.sample)) this.clear();
    const known = news.map((item) => ({ ...item, kinds: kindsOf(item.name, item.blob?.type) }));
    const alone = known.some((item) => item.kinds[0] === "video" && item.kinds.length === 1);
    if (alone || (known.length && this.items.some((item) => item.kinds.join() === "video"))) this.clear();
    for (const item of known) {
      const preview = item.blob ? URL.createObjectURL(item.blob) : null;
      const pages = item.blob && item.kinds.includes("document") && !item.address ? new Pages(this.service, item.blob) : null;
      this.items.push({ ...item, id: (this.#count += 1), preview, pages });
      this.announce(say("added", { name: item.name }));
    }
    // The task that fits what came is chosen before what it does not take is left out.
    if (chosen && known.length) this.onarrival(this.items);
    if (this.items.length > this.most) {
      this.announce(say("too_many", { n: this.most }));
      for (const item of this.items.splice(this.most)) drop(item);
    }
    this.#render();
  }

  #render() {
    this.stage.dataset.count = String(this.items.length);
    this.stage.dataset.kind = this.items.length === 1 ? this.items[0].kinds[0] : "";
    this.shown = null;
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
    const shot = h("li", { class: "shot", "data-item": item.id });
    const kind = item.kinds[0];
    if (item.pages) {
      shot.classList.add("paged");
      shot.append(sheets(item.pages, item.name));
    } else if (item.preview && kind === "video") {
      const clip = h("video", { src: item.preview, controls: true, playsinline: true, preload: "metadata" });
      clip.muted = true;
      fill(clip, "aria-label", "clip_label", { name: item.name });
      shot.append(clip);
    } else if (item.preview) {
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

  /**
   * Whether all of these lie here, so that what was found in them can be shown on them.
   * @param {readonly {id: number}[]} items
   */
  holds(items) {
    return items.length > 0 && items.every(({ id }) => this.items.some((item) => item.id === id));
  }

  /** @param {{id: number}} item @returns {HTMLElement | null} */
  shotOf(item) {
    return this.shots.querySelector(`[data-item="${item.id}"]`);
  }

  /** The clip of an item that lies here. @param {{id: number}} item */
  clipOf(item) {
    return this.shotOf(item)?.querySelector("video") ?? null;
  }

  /**
   * Shows what an answer found on the pictures; nothing without one.
   * @param {readonly {item: {id: number}, boxes: import("./marks.js").Box[], pages: Map<number, number | null>}[]} findings
   */
  show(findings) {
    for (const old of this.shots.querySelectorAll(".marks")) old.remove();
    for (const old of this.shots.querySelectorAll(".cited")) old.classList.remove("cited");
    for (const { item, boxes, pages } of findings) {
      const shot = this.shotOf(item);
      const image = shot?.querySelector(":scope > img");
      if (image instanceof HTMLImageElement && boxes.length) image.after(layer(image, boxes));
      this.#light(shot, pages);
      shot?.querySelector(".document")?.addEventListener("counted", () => this.#light(shot, pages));
    }
  }

  /** @param {Element | null} shot @param {Map<number, number | null>} pages */
  #light(shot, pages) {
    for (const number of pages.keys()) shot?.querySelector(`[data-page="${number}"]`)?.classList.add("cited");
    const first = shot?.querySelector(".cited");
    if (first) this.shots.scrollTo({ top: /** @type {HTMLElement} */ (first).offsetTop - this.shots.clientHeight / 3, behavior: "smooth" });
  }

  /** @param {import("./samples.js").Sample} sample */
  #sampleButton(sample) {
    const image = h("img", { src: new URL(`samples/${sample.picture ?? sample.file}`, import.meta.url), alt: "", draggable: "false" });
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

/** @param {Attachment} item */
function drop(item) {
  if (item.preview) URL.revokeObjectURL(item.preview);
  item.pages?.close();
}

/**
 * An input as the service's client takes it: a document that is kept at the service already is not sent again.
 * @param {Attachment} item
 * @returns {Promise<import("./sightline.js").Media>}
 */
export async function toMedia(item) {
  return item.address ?? (item.pages ? item.pages.file() : /** @type {Blob} */ (item.blob));
}
