/** Receipts: for every input, what it was and what the model saw of it. */

import { h } from "./dom.js";
import { duration, fill, has, number, say } from "./language.js";

/** @typedef {import("./sightline.js").Receipt} Receipt */
/** @typedef {import("./sightline.js").Final} Final */

/** Pixels from which a picture is told by megapixels, as cameras do. */
const MEGA = 2e6;

/**
 * The gaps of the sentence "12 MP JPEG → 1312×960, 1,230 tokens".
 * @param {Receipt} receipt
 */
function way(receipt) {
  const format = receipt.format.toUpperCase();
  const pixels = receipt.original_width * receipt.original_height;
  const pages = receipt.pages?.length ?? 0;
  const frames = receipt.timestamps?.length ?? 0;
  /** @type {unknown} */
  let from = `${receipt.original_width}×${receipt.original_height} ${format}`;
  if (receipt.kind === "document") from = { t: "receipt_document", n: receipt.page_count ?? pages, format };
  else if (receipt.kind === "video") from = { t: "receipt_clip", seconds: Math.round((receipt.seconds ?? 0) * 10) / 10, format };
  else if (pixels >= MEGA) from = { t: "receipt_photo", mega: Math.round(pixels / 1e5) / 10, format };
  /** @type {unknown} */
  let to = `${receipt.sent_width}×${receipt.sent_height}`;
  if (receipt.kind === "document" && pages > 1) to = { t: "receipt_sheets", n: pages, size: to };
  else if (receipt.kind === "video" && frames) to = { t: "receipt_stills", n: frames, size: to };
  return { from, to, n: receipt.visual_tokens };
}

/**
 * One line for all inputs: the only one's way with what was wrong with it, or how many there are and what they cost.
 * @param {Final} final
 */
export function receiptLine({ metadata: { receipts }, warnings }) {
  const line = h("span", { class: "receipt-line" });
  if (receipts.length > 1) return fill(line, "", "receipt_about", { n: receipts.length, tokens: receipts.reduce((sum, receipt) => sum + receipt.visual_tokens, 0) }), line;
  const wrong = (warnings ?? []).find(({ input }) => input === receipts[0].index);
  line.append(h("span", { t: "receipt", tv: way(receipts[0]) }));
  if (wrong) line.append(h("span", { class: "receipt-wrong" }, wrong.type.replaceAll("_", " ")));
  const type = `warning.${wrong?.type}`;
  if (wrong && has(type)) fill(/** @type {Element} */ (line.lastElementChild), "", type);
  return line;
}

/**
 * All that is known of how the answer came about.
 * @param {Final} final
 */
export function receiptPanel(final) {
  const { metadata } = final;
  const list = h("ol", { class: "receipts" }, ...metadata.receipts.map((receipt) => entry(receipt, (final.warnings ?? []).filter(({ input }) => input === receipt.index))));
  const facts = h("dl", { class: "facts" });
  /**
   * @param {string} key
   * @param {string | Element | null} value
   */
  const fact = (key, value) => value !== null && facts.append(h("div", {}, h("dt", { t: key }), h("dd", {}, value)));
  const time = (/** @type {number} */ ms) => h("span", { t: "plain", tv: { value: duration(ms) } });
  fact("about_model", metadata.model);
  if (metadata.first_token_ms !== null) fact("about_first", time(metadata.first_token_ms));
  fact("about_total", time(metadata.processing_time_ms));
  if (metadata.queue_ms > 0) fact("about_queue", time(metadata.queue_ms));
  const finish = `finish.${metadata.finish_reason}`;
  fact("about_finish", has(finish) ? h("span", { t: finish }) : metadata.finish_reason);
  if (metadata.cache) fact("about_cache", metadata.cache);
  fact("about_request", h("code", {}, final.request_id));
  return h("div", {}, list, facts);
}

/**
 * @param {Receipt} receipt
 * @param {import("./sightline.js").Advice[]} warnings Those about this input.
 */
function entry(receipt, warnings) {
  const more = [];
  const changes = receipt.changes ?? [];
  for (const change of changes) more.push(h("span", { t: has(`change.${change}`) ? `change.${change}` : change }));
  if (!changes.length) more.push(h("span", { t: "receipt_unchanged" }));
  if (receipt.pages?.length) more.push(h("span", { t: "receipt_pages", tv: { pages: receipt.pages.join(", "), total: receipt.page_count ?? receipt.pages.length } }));
  if (receipt.timestamps?.length) more.push(h("span", { t: "receipt_frames", tv: { n: receipt.timestamps.length, seconds: receipt.seconds ?? 0 } }));
  more.push(h("span", {}, size(receipt.bytes)));
  if (receipt.ms) more.push(h("span", { t: "plain", tv: { value: duration(receipt.ms) } }));
  more.push(h("span", { class: "print", title: `sha256 ${receipt.sha256}` }, `${say("about_print")} ${receipt.sha256.slice(0, 8)}…`));
  const advice = warnings.map(({ msg, hint }) => h("p", { class: "receipt-advice" }, msg, hint ? ` ${hint}` : ""));
  const closer = receipt.closer?.length ? h("p", { class: "hint", t: "receipt_closer", tv: { n: receipt.closer.length } }) : null;
  return h("li", {}, h("p", { class: "way", t: "receipt", tv: way(receipt) }), ...advice, h("p", { class: "line hint" }, ...more), closer);
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1000) return `${number(bytes)} B`;
  return bytes < 1e6 ? `${number(Math.round(bytes / 1000))} kB` : `${number(Math.round(bytes / 1e5) / 10)} MB`;
}
