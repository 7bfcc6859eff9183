/** Receipts: for every input, what it was and what the model saw of it. */

import { h } from "./dom.js";
import { duration, fill, has, number, say } from "./language.js";

/** @typedef {import("./sightline.js").Receipt} Receipt */
/** @typedef {import("./sightline.js").Final} Final */

/**
 * The gaps of the sentence "512×384 PNG → 256×192, 48 tokens".
 * @param {Receipt} receipt
 */
function way(receipt) {
  return {
    from: `${receipt.original_width}×${receipt.original_height} ${receipt.format.toUpperCase()}`,
    to: `${receipt.sent_width}×${receipt.sent_height}`,
    n: receipt.visual_tokens,
  };
}

/**
 * One line for all inputs: the only one's way, or how many there are and what they cost.
 * @param {Receipt[]} receipts
 */
export function receiptLine(receipts) {
  const line = h("span", { class: "receipt-line" });
  if (receipts.length === 1) fill(line, "", "receipt", way(receipts[0]));
  else fill(line, "", "receipt_about", { n: receipts.length, tokens: receipts.reduce((sum, receipt) => sum + receipt.visual_tokens, 0) });
  return line;
}

/**
 * All that is known of how the answer came about.
 * @param {Final} final
 */
export function receiptPanel(final) {
  const { metadata } = final;
  const list = h("ol", { class: "receipts" }, ...metadata.receipts.map((receipt) => entry(receipt)));
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

/** @param {Receipt} receipt */
function entry(receipt) {
  const more = [];
  const changes = receipt.changes ?? [];
  for (const change of changes) more.push(h("span", { t: has(`change.${change}`) ? `change.${change}` : change }));
  if (!changes.length) more.push(h("span", { t: "receipt_unchanged" }));
  if (receipt.pages?.length) more.push(h("span", { t: "receipt_pages", tv: { pages: receipt.pages.join(", "), total: receipt.page_count ?? receipt.pages.length } }));
  if (receipt.timestamps?.length) more.push(h("span", { t: "receipt_frames", tv: { n: receipt.timestamps.length, seconds: receipt.seconds ?? 0 } }));
  more.push(h("span", {}, size(receipt.bytes)));
  if (receipt.ms) more.push(h("span", { t: "plain", tv: { value: duration(receipt.ms) } }));
  more.push(h("span", { class: "print", title: `sha256 ${receipt.sha256}` }, `${say("about_print")} ${receipt.sha256.slice(0, 8)}…`));
  return h("li", {}, h("p", { class: "way", t: "receipt", tv: way(receipt) }), h("p", { class: "line hint" }, ...more));
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1000) return `${number(bytes)} B`;
  return bytes < 1e6 ? `${number(Math.round(bytes / 1000))} kB` : `${number(Math.round(bytes / 1e5) / 10)} MB`;
}
