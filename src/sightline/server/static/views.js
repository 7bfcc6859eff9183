/**
 * What an answer shows beside its words, by what its structured result holds: charts drawn anew, boxes on pictures, cited
 * pages, moments of a clip, filled fields. Parts that are absent or unknown do not show.
 */

import { chartBoxes, chartsView } from "./chart.js";
import { h } from "./dom.js";
import { lights } from "./marks.js";
import { sheet } from "./pages.js";
import { dot, tint } from "./sureness.js";
import { timeline } from "./timeline.js";

/** @typedef {import("./marks.js").Box} Box */
/** @typedef {import("./sightline.js").Final} Final */
/** @typedef {{seconds: number, end: number | null, text: string, confidence: unknown}} Moment */
/**
 * What was found in each input: boxes on a picture, pages of a document with how sure their citation is.
 * @typedef {{boxes: Box[], pages: Map<number, number | null>}} Finding
 */
/**
 * What views need of the card that they stand in.
 * @typedef {object} Place
 * @property {(input: number) => HTMLElement | null} figure The picture itself, for where the stage does not show it.
 * @property {() => ParentNode[]} around Where marks of the same name may be.
 * @property {(input: number) => import("./pages.js").Pages | null} pagesOf
 * @property {(input: number, seconds: number) => void} seek
 * @property {(input: number, page: number) => void} turnTo
 */

/** Where the boxes of a result may be, and whether each has its words written over it. */
const BOXED = /** @type {const} */ ([["objects", false], ["boxes", false], ["found", false], ["regions", false], ["blocks", true], ["lines", true], ["words", true]]);

/** @param {unknown} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value : []);
/** @param {unknown} box @returns {box is number[]} */
const isBox = (box) => Array.isArray(box) && box.length === 4 && box.every((side) => typeof side === "number");
/** @param {any} entry */
const boxOf = (entry) => [entry.box, entry.bbox, entry.bbox_2d].find(isBox);
/** @param {any} entry */
const wordsOf = (entry) => String(entry.label ?? entry.text ?? entry.phrase ?? entry.name ?? "");
/**
 * Lines that were read, of each picture, where nothing is known of their places.
 * @param {any} structured
 */
function linesOf(structured) {
  return list(structured?.images).flatMap((image, at) =>
    list(image?.lines)
      .filter((line) => line && typeof line.text === "string" && !boxOf(line))
      .map((entry) => ({ entry, input: Number(image.image_index ?? at) || 0 })),
  );
}

/** @param {any} entry */
const inputOf = (entry) => Number(entry.image_index ?? entry.input ?? 0) || 0;

/**
 * Entries with boxes, wherever in the result they are: at the top, or under the picture that they are in.
 * @param {any} structured
 */
function boxed(structured) {
  const holders = [structured, ...["images", "pictures", "pages"].flatMap((name) => list(structured?.[name]))];
  return holders.flatMap((holder, at) =>
    BOXED.flatMap(([name, quiet]) =>
      list(holder?.[name])
        .filter((entry) => entry && boxOf(entry))
        .map((entry) => ({ entry, quiet, input: inputOf({ ...(at ? { image_index: holder.image_index ?? holder.input ?? at - 1 } : {}), ...entry }) })),
    ),
  );
}

/**
 * @param {Final} final
 * @returns {{input: number, page: number, number: number, quote: string, confidence: unknown}[]}
 */
function citations({ structured, metadata }) {
  return list(/** @type {any} */ (structured)?.citations).flatMap((entry) => {
    const number = Number(entry?.page);
    if (!number) return [];
    const input = Number(entry.input ?? 0) || 0;
    // Pages are counted over all inputs; a document's own begin after those before it.
    const before = metadata.receipts.filter((receipt) => receipt.index < input).reduce((sum, receipt) => sum + (receipt.page_count ?? 1), 0);
    return [{ input, page: number - before, number, quote: String(entry.quote ?? entry.snippet ?? entry.text ?? ""), confidence: entry.confidence }];
  });
}

/**
 * @param {any} structured
 * @returns {Moment[]}
 */
export function moments(structured) {
  const found = list(structured?.timestamps).length ? list(structured.timestamps) : list(structured?.moments ?? structured?.events);
  return found.flatMap((entry) => {
    const told = typeof entry === "number" ? { seconds: entry } : (entry ?? {});
    const seconds = told.seconds ?? told.timestamp ?? told.time ?? told.start ?? told.t;
    // A time that the clip does not have leads nowhere.
    if (typeof seconds !== "number" || told.within === false) return [];
    const end = told.end ?? told.until;
    return [{ seconds, end: typeof end === "number" ? end : null, text: String(told.text ?? told.label ?? told.quote ?? told.snippet ?? told.description ?? ""), confidence: told.confidence }];
  });
}

/**
 * What was found in each input, to be shown on it.
 * @param {Final} final
 * @returns {Map<number, Finding>}
 */
export function findings(final) {
  /** @type {Map<number, Finding>} */
  const all = new Map();
  const at = (/** @type {number} */ input) => {
    /** @type {Finding} */
    const known = all.get(input) ?? { boxes: [], pages: new Map() };
    all.set(input, known);
    return known;
  };
  const structured = /** @type {any} */ (final.structured);
  boxed(structured).forEach(({ entry, quiet, input }, index) => {
    at(input).boxes.push({ box: /** @type {number[]} */ (boxOf(entry)), label: quiet ? "" : wordsOf(entry), confidence: entry.confidence, group: quiet ? 0 : index, quiet, key: `box-${index}` });
  });
  if (structured?.charts) for (const { input, box } of chartBoxes(structured)) at(input).boxes.push(box);
  for (const { input, page, confidence } of citations(final)) at(input).pages.set(page, typeof confidence === "number" ? confidence : null);
  return all;
}

/**
 * The views of an answer, and whether they say all that its words do.
 * @param {Final} final
 * @param {Place} place
 * @returns {{parts: HTMLElement[], instead: boolean}}
 */
export function views(final, place) {
  const structured = /** @type {any} */ (final.structured);
  if (structured === null || typeof structured !== "object") return { parts: [], instead: false };
  /** @type {(HTMLElement | null)[]} */
  const parts = [];
  if (structured.charts) parts.push(...chartsView(structured, place));
  const found = boxed(structured);
  if (found.length) parts.push(boxesView(found, place));
  const lines = linesOf(structured);
  if (lines.length) parts.push(linesView(lines, place));
  if (Array.isArray(structured.boxes) && !found.length && final.answer.trim() === "[]") return { parts: [h("p", { class: "answer", t: "nothing_found" })], instead: true };
  const cited = citations(final);
  if (cited.length) parts.push(citationsView(cited, place));
  if (list(structured.failed_pages).length) parts.push(h("p", { class: "hint", t: "pages_failed", tv: { pages: structured.failed_pages.join(", ") } }));
  const clip = final.metadata.receipts.find(({ kind }) => kind === "video");
  if (clip) parts.push(timeline(clip, moments(structured), final.answer, place));
  if (structured.fields && !Array.isArray(structured.fields)) parts.push(fieldsView(structured.fields));
  const shown = parts.filter((part) => part !== null);
  const written = lines.length > 0 || (found.length > 0 && found.every(({ quiet }) => quiet));
  return { parts: shown, instead: (shown.length > 0 && /^\s*[[{]/.test(final.answer)) || written };
}

/** The timeline of a clip whose task says nothing more of it. @param {Final} final @param {Place} place */
export function bareTimeline(final, place) {
  const clip = final.metadata.receipts.find(({ kind }) => kind === "video");
  return clip ? [timeline(clip, [], final.answer, place)] : [];
}

/**
 * @param {{entry: any, quiet: boolean, input: number}[]} found
 * @param {Place} place
 */
function boxesView(found, place) {
  const quiet = found.every((each) => each.quiet);
  const several = new Set(found.map(({ input }) => input)).size > 1;
  const rows = found.map(({ entry, input }, index) => {
    const words = h("span", { class: "found-words", dir: "auto" }, wordsOf(entry));
    const row = h("li", { class: quiet ? "line-read" : `found-thing c${index % 6}`, "data-key": `box-${index}`, tabindex: 0 }, ...(several ? [h("span", { class: "tag" }, String(input + 1))] : []), words, quiet ? null : dot(entry.confidence));
    if (quiet) tint(row, entry.confidence);
    lights(row, place.around);
    return row;
  });
  const inputs = [...new Set(found.map(({ input }) => input))].map((input) => place.figure(input));
  return h("section", { class: quiet ? "read" : "grounded" }, ...inputs, h("ul", { class: quiet ? "lines-read" : "found", label: quiet ? "lines_read" : "things_found" }, ...rows));
}

/**
 * @param {ReturnType<typeof linesOf>} lines
 * @param {Place} place
 */
function linesView(lines, place) {
  const inputs = [...new Set(lines.map(({ input }) => input))];
  const parts = inputs.flatMap((input) => {
    const rows = lines.filter((line) => line.input === input).map(({ entry }) => tint(h("li", { class: "line-read", dir: "auto" }, entry.text), entry.confidence));
    const title = inputs.length > 1 ? h("p", { class: "tag", t: "picture_n", tv: { n: input + 1 } }) : null;
    return [title, place.figure(input), h("ol", { class: "lines-read", label: "lines_read" }, ...rows)];
  });
  return h("section", { class: "read" }, ...parts);
}

/**
 * @param {ReturnType<typeof citations>} cited
 * @param {Place} place
 */
function citationsView(cited, place) {
  const rows = cited.map(({ input, page, number, quote, confidence }) => {
    const pages = place.pagesOf(input);
    const name = h("button", { type: "button", class: "cite-page", t: "cited_page", tv: { n: number }, on: { click: () => place.turnTo(input, page) } });
    const words = quote ? h("q", { dir: "auto" }, quote) : null;
    return h("li", { class: "citation" }, pages ? sheet(pages, page) : null, h("div", {}, h("p", { class: "cite-head" }, name, dot(confidence)), words));
  });
  return h("section", { class: "cited-pages" }, h("h3", { class: "side-title", t: "cited" }), h("ul", { class: "citations" }, ...rows));
}

/** @param {Record<string, any>} fields */
function fieldsView(fields) {
  const rows = Object.entries(fields).map(([name, field]) => {
    const told = field && typeof field === "object" && "value" in field ? field : { value: field };
    const empty = told.value === null || told.value === undefined;
    const shown = empty ? h("span", { class: "hint", t: "field_empty" }) : h("span", { dir: "auto" }, typeof told.value === "object" ? JSON.stringify(told.value) : String(told.value));
    const page = told.page ? h("span", { class: "tag", t: "cited_page", tv: { n: told.page } }) : null;
    return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, empty ? null : dot(told.confidence), shown, " ", page));
  });
  return h("div", { class: "scroll", role: "region", label: "fields", tabindex: 0 }, h("table", { class: "values" }, h("tbody", {}, ...rows)));
}
