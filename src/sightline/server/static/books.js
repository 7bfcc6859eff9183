/** The console's books: what was refused, what was remembered, engines, the audit log, keys and their use. */

import { h } from "./dom.js";
import { fill, has, language, number } from "./language.js";

/** @typedef {{count: number, [label: string]: string | number}} Count */

/**
 * @param {string} label
 * @param {(Node | string)[][]} rows
 * @param {{t: string, right?: boolean}[]} heads
 * @param {(index: number) => string | null} [mark] A row's class.
 */
function table(label, rows, heads, mark = () => null) {
  const head = h("tr", {}, ...heads.map(({ t, right }) => h("th", { scope: "col", t, class: right ? "right" : null })));
  const body = rows.map((cells, index) => h("tr", { class: mark(index) }, ...cells.map((cell, at) => h("td", { class: heads[at].right ? "right" : null }, cell))));
  return h("div", { class: "scroll", role: "group", label, tabindex: 0 }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
}

/** @param {number} value */
const count = (value) => h("span", { t: "plain", tv: { value } });

/** @param {{refused: Count[], degraded: Count[]}} totals */
export function refusedBook(totals) {
  const rows = [
    ...totals.refused.map((each) => ({ code: String(each.code), lane: String(each.lane), why: h("span", { t: has(`code.${each.code}`) ? `code.${each.code}` : "plain", tv: { value: "" } }), count: each.count })),
    ...totals.degraded.map((each) => ({ code: "2001", lane: String(each.lane), why: h("span", {}, h("span", { t: "degraded_to" }), " ", h("span", { class: "hint", t: has(`reason.${each.reason}`) ? `reason.${each.reason}` : "plain", tv: { value: each.reason } })), count: each.count })),
  ].sort((a, b) => b.count - a.count);
  if (!rows.length) return h("p", { class: "hint", t: "refused_none" });
  const cells = rows.map((row) => [h("code", {}, row.code), row.why, row.lane === "-" ? "–" : row.lane, count(row.count)]);
  return table("refused", cells, [{ t: "refused_code" }, { t: "refused_why" }, { t: "refused_lane" }, { t: "refused_count", right: true }]);
}

/** @param {Count[]} totals */
export function cacheBook(totals) {
  const kinds = ["hit", "shared", "miss"].map((outcome, c) => ({ outcome, c: [2, 0, 5][c], n: totals.filter((each) => each.outcome === outcome).reduce((all, each) => all + each.count, 0) }));
  const whole = kinds.reduce((all, { n }) => all + n, 0);
  if (!whole) return h("p", { class: "hint", t: "cache_none" });
  const parts = kinds.map(({ c, n }) => {
    const part = h("span", { class: `c${c}`, hidden: n === 0 });
    part.style.flexGrow = String(n);
    return part;
  });
  const legend = kinds.map(({ outcome, c, n }) => h("li", { class: `keyed c${c}` }, h("span", { t: `cache.${outcome}` }), " ", h("b", {}, count(n)), " ", h("span", { class: "hint" }, `${Math.round((100 * n) / whole)}%`)));
  return h("div", {}, h("div", { class: "shares", "aria-hidden": "true" }, ...parts), h("ul", { class: "shares-legend" }, ...legend));
}

/** @param {number} seconds */
function lasting(seconds) {
  if (seconds >= 172_800) return { t: "time_days", n: Math.floor(seconds / 86_400) };
  return seconds >= 7200 ? { t: "time_hours", n: Math.floor(seconds / 3600) } : { t: "time_minutes", n: Math.max(1, Math.round(seconds / 60)) };
}

/** @param {any} said */
export function enginesBook(said) {
  const rows = said.engines.map((/** @type {any} */ engine) => [engine.name, h("span", { t: engine.ready ? "engine_ready" : "engine_away", class: engine.ready ? null : "unsure" }), count(engine.restarts)]);
  const tokens = (/** @type {string} */ direction) => said.totals.tokens.filter((/** @type {Count} */ each) => each.direction === direction).reduce((/** @type {number} */ all, /** @type {Count} */ each) => all + each.count, 0);
  const total = h("p", { class: "hint", t: "tokens_total", tv: { input: tokens("input"), output: tokens("output"), time: lasting(said.seconds) } });
  return h("div", {}, table("engines", rows, [{ t: "engine" }, { t: "engine_state" }, { t: "engine_restarts", right: true }]), total);
}

/**
 * @param {any} found
 * @param {() => void} again
 */
export function auditBook(found, again) {
  const verdict = h("p", { class: "verdict", "data-state": found.state }, h("span", { t: `audit.${found.state}`, tv: { entries: found.entries ?? 0, chains: found.chains ?? 0, n: found.findings?.length ?? 0, message: found.message ?? "" } }));
  if (found.state === "off") return h("div", {}, verdict);
  const findings = (found.findings ?? []).map((/** @type {any} */ each) => h("li", {}, h("code", {}, `${each.file}:${each.line}`), ` ${each.message}`));
  const time = new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en", { timeStyle: "medium" }).format(new Date());
  const read = h("p", { class: "hint" }, h("span", { t: "audit_read", tv: { time } }), " ", h("button", { type: "button", class: "quiet", t: "audit_again", on: { click: again } }));
  return h("div", {}, verdict, findings.length ? h("ul", { class: "findings" }, ...findings) : null, read);
}

/** @param {number} seconds */
const date = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

/** @param {any[]} keys */
export function keysBook(keys) {
  const rows = keys.map((key) => {
    const state = h("span", { t: `key.${key.state}` });
    if (key.state === "valid" && key.expires_at) fill(state, "", "key.valid_until", { date: date(key.expires_at) });
    const limits = Object.entries(key.limits).map(([name, value]) => `${number(/** @type {number} */ (value))} ${name.replaceAll("_", " ")}`);
    const may = h("span", {}, [...key.only, ...limits].join(", "));
    if (!key.only.length && !limits.length) may.append(h("span", { t: "key_everything" }));
    if (key.admin) may.append(" ", h("span", { class: "tag", t: "key_console" }));
    return [key.name, h("code", {}, `${key.prefix}…`), state, may];
  });
  return table("keys", rows, [{ t: "key_name" }, { t: "key_id" }, { t: "key_state" }, { t: "key_may" }], (index) => (keys[index].state === "valid" ? null : "over"));
}

/** @param {any[]} usage */
export function usageBook(usage) {
  if (!usage.length) return h("p", { class: "hint", t: "use_none" });
  const rows = [...usage].reverse().map((row) => [row.day, row.name || row.key_id, row.task, ...[row.requests, row.failed, row.input_tokens, row.output_tokens].map(count)]);
  return table("used", rows, [{ t: "day" }, { t: "key_name" }, { t: "use_task" }, { t: "use_calls", right: true }, { t: "use_failed", right: true }, { t: "use_in", right: true }, { t: "use_out", right: true }]);
}
