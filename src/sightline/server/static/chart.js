/** What `chart_parse` read: the chart drawn anew, its values with how sure each is, and what a second look read differently. */

import { copyButton, h } from "./dom.js";
import { fill, has, number, say } from "./language.js";
import { lights } from "./marks.js";
import { plot } from "./plot.js";
import { dot } from "./sureness.js";

/** @typedef {import("./marks.js").Box} Box */
/** @typedef {import("./views.js").Place} Place */

/** How a chart is drawn, by what it was read as. */
const DRAWN = { bar: "bar", grouped_bar: "bar", stacked_bar: "stacked_bar", line: "line", area: "area", pie: "pie", scatter: "scatter" };

/**
 * @param {any} structured
 * @param {Place} place
 */
export function chartsView(structured, place) {
  const charts = list(structured.charts);
  const parts = charts.map((chart, index) => chartView(chart, index, charts.length > 1, place));
  const looked = Number(structured.looked_again) || 0;
  return [
    ...derived(structured.derived),
    ...parts,
    looked ? h("p", { class: "hint looked", t: "chart_looked", tv: { n: looked, agreed: Number(structured.agreed) || 0 } }) : null,
  ].filter((part) => part !== null);
}

/**
 * Where on the pictures values were looked at once more.
 * @param {any} structured
 * @returns {{input: number, box: Box}[]}
 */
export function chartBoxes(structured) {
  return list(structured.charts).flatMap((chart, index) =>
    list(chart.series).flatMap((series, row) =>
      list(series.points).flatMap((point, column) => {
        const look = point.second_look;
        if (!Array.isArray(look?.box)) return [];
        const box = { box: look.box, label: look.agrees === false ? `≠ ${shown(look.value)}` : "", group: 0, quiet: look.agrees !== false, differs: look.agrees === false, key: keyOf(index, row, column) };
        return [{ input: Number(chart.image_index) || 0, box }];
      }),
    ),
  );
}

/** @param {any} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value : []);
/** @param {unknown} value */
const shown = (value) => (typeof value === "number" ? number(value) : "?");
/** @param {...number} places */
const keyOf = (...places) => `chart-${places.join("-")}`;

/**
 * @param {any} chart
 * @param {number} index
 * @param {boolean} several
 * @param {Place} place
 */
function chartView(chart, index, several, place) {
  const rows = list(chart.series).map((series, row) => ({
    name: String(series.name ?? ""),
    points: list(series.points).map((point, column) => ({
      label: String(point.label ?? ""),
      value: typeof point.value === "number" ? point.value : null,
      confidence: point.confidence,
      // Only what the second look saw differently is worth a reader's time.
      second: point.second_look?.agrees === false && typeof point.second_look.value === "number" ? point.second_look.value : null,
      unread: point.second_look?.agrees === false && typeof point.second_look.value !== "number",
      key: keyOf(index, row, column),
    })),
  }));
  const kind = `chart.${chart.chart_type}`;
  const count = rows.reduce((sum, { points }) => sum + points.length, 0);
  const title = chart.title ? h("h3", { class: "chart-title", dir: "auto" }, chart.title) : h("h3", { class: "chart-title", t: has(kind) ? kind : "chart.other" });
  const about = h("p", { class: "hint" });
  fill(about, "", "chart_about", { kind: has(kind) ? { t: kind } : String(chart.chart_type ?? ""), n: count });
  const head = h("header", { class: "chart-head" }, title, about);
  const type = /** @type {Record<string, string>} */ (DRAWN)[chart.chart_type];
  const drawing = { type: type ?? "bar", series: rows, unit: String(chart.unit ?? ""), x: String(chart.x_axis ?? ""), y: String(chart.y_axis ?? ""), label: say("chart_redrawn", { title: chart.title || String(chart.chart_type) }) };
  const drawn = type && count ? [plot(drawing), legend(rows, type)] : [];
  const failed = list(chart.checks).filter((check) => check.passed === false && check.msg);
  const checks = failed.length ? h("ul", { class: "notices" }, ...failed.map((check) => h("li", { class: "notice" }, String(check.msg)))) : null;
  const cut = chart.complete === false ? h("p", { class: "notice", t: "chart_cut" }) : null;
  const original = place.figure(Number(chart.image_index) || 0);
  const redrawn = h("div", { class: "redrawn" }, h("p", { class: "side-title", t: "chart_as_read" }), ...drawn);
  const sides = h("div", { class: "sides" }, original, drawn.length ? redrawn : null);
  return h("section", { class: "chart", "data-chart": index }, several ? h("p", { class: "tag", t: "picture_n", tv: { n: (Number(chart.image_index) || 0) + 1 } }) : null, head, sides, checks, cut, values(rows, place, chart));
}

/** @param {{name: string}[]} rows @param {string} type */
function legend(rows, type) {
  const named = rows.filter(({ name }) => name);
  if (named.length < 2 || type === "pie") return null;
  return h("ul", { class: "legend", "aria-hidden": "true" }, ...rows.map(({ name }, index) => h("li", { class: `c${index % 6}` }, name)));
}

/**
 * @param {{name: string, points: any[]}[]} rows
 * @param {Place} place
 * @param {any} chart
 */
function values(rows, place, chart) {
  const labels = [...new Set(rows.flatMap(({ points }) => points.map(({ label }) => label)))];
  const unit = chart.unit ? ` (${chart.unit})` : "";
  const heads = rows.map(({ name }, index) => h("th", { scope: "col", class: "right" }, name || (rows.length > 1 ? String(index + 1) : say("chart_value")), index === 0 ? unit : ""));
  const lines = labels.map((label) => {
    const cells = rows.map(({ points }) => {
      const point = points.find((each) => each.label === label);
      if (!point) return h("td", {});
      const cell = h("td", { class: "right number", "data-key": point.key, tabindex: point.second !== null || point.unread ? 0 : null });
      // The mark stands before the number, so that numbers keep to one edge.
      cell.append(...[differing(point), dot(point.confidence), h("span", {}, shown(point.value))].filter((part) => part !== null));
      lights(cell, place.around);
      return cell;
    });
    return h("tr", {}, h("th", { scope: "row" }, label), ...cells);
  });
  const table = h("table", { class: "values" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, chart.x_axis || ""), ...heads)), h("tbody", {}, ...lines));
  const csv = () => [["", ...rows.map(({ name }) => name)], ...labels.map((label) => [label, ...rows.map(({ points }) => points.find((point) => point.label === label)?.value ?? "")])].map((line) => line.map(quoted).join(",")).join("\n");
  return h("div", { class: "values-place" }, h("div", { class: "scroll", role: "region", label: "chart_values", tabindex: 0 }, table), copyButton(csv, "copy_csv"));
}

/** @param {{second: number | null, unread: boolean}} point */
function differing(point) {
  if (point.second !== null) return h("span", { class: "differing", hint: "chart_differs_why", t: "chart_differs", tv: { value: point.second } });
  if (point.unread) return h("span", { class: "differing", hint: "chart_differs_why", t: "chart_unread" });
  return null;
}

/** @param {unknown} value */
function quoted(value) {
  const text = String(value);
  // What a spreadsheet would take for a formula is told to be text.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {any} found */
function derived(found) {
  if (!found?.formula && !found?.inputs?.length) return [];
  const row = h("p", { class: "derived" }, h("span", { class: "tag", t: "chart_computed" }), " ", h("code", {}, String(found.formula ?? "")));
  return [row];
}
