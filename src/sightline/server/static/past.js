/** The list of earlier questions on the page; each opens again with its pictures. */

import { $, h, icon } from "./dom.js";
import { forget, forgetAll, kept } from "./history.js";
import { fill, language } from "./language.js";
import { thumb } from "./thumbs.js";

/** Rows shown before a person asks for all. */
const FIRST = 6;

/** @typedef {import("./history.js").Entry} Entry */

/**
 * Shows what was kept before this visit.
 * @param {(entry: Entry) => void} open
 */
export async function showPast(open) {
  let entries = await kept();
  let all = false;
  const list = $("past-list");
  const render = () => {
    $("past").hidden = entries.length === 0;
    $("past-more").hidden = all || entries.length <= FIRST;
    fill($("past-more"), "", "past_more", { n: entries.length - FIRST });
    list.replaceChildren(...entries.slice(0, all ? MOST_ROWS : FIRST).map(row));
  };
  /** @param {Entry} entry */
  const without = (entry) => {
    entries = entries.filter((other) => other !== entry);
    render();
  };
  /** @param {Entry} entry */
  const row = (entry) => {
    const pictures = h("span", { class: "thumbs" });
    for (const { blob, type } of entry.items.slice(0, 1)) if (blob) thumb(blob, type).then((picture) => picture && pictures.append(picture));
    const when = h("time", { class: "hint", datetime: new Date(entry.at).toISOString() }, dated(entry.at));
    const words = h("span", { class: "past-words" }, h("span", { class: "past-question", dir: "auto" }, entry.text || entry.task), h("span", { class: "hint past-answer", dir: "auto" }, entry.final.answer.slice(0, 160)));
    const opener = h("button", { type: "button", class: "past-open", on: { click: () => (open(entry), without(entry)) } }, pictures, words, when);
    const gone = h("button", { type: "button", class: "quiet round", label: "past_forget", on: { click: () => (forget(entry.id ?? -1), without(entry)) } }, icon("close"));
    return h("li", { class: "past-row" }, opener, gone);
  };
  $("past-more").addEventListener("click", () => {
    all = true;
    render();
  });
  $("past-clear").addEventListener("click", async () => {
    await forgetAll();
    entries = [];
    render();
    $("text").focus();
  });
  document.addEventListener("language", render);
  render();
}

const MOST_ROWS = 100;

/** @param {number} at */
function dated(at) {
  const today = new Date().toDateString() === new Date(at).toDateString();
  return new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en", today ? { timeStyle: "short" } : { dateStyle: "medium" }).format(at);
}
