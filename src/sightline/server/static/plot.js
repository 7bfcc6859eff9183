/**
 * A chart drawn anew from values, as plain SVG at the size that it has on the page: bars (grouped, stacked), lines, areas,
 * points and pies. What was read differently the second time is drawn beside it, hollow.
 */

import { number } from "./language.js";
import { s } from "./marks.js";
import { level, known } from "./sureness.js";

/**
 * `second` is what a second look read where it differs; `key` names the value in lists and over pictures.
 * @typedef {{label: string, value: number | null, confidence?: number | null, second?: number | null, key: string}} Point
 * @typedef {{name: string, points: Point[]}} Series
 * @typedef {{type: string, series: Series[], unit: string, x: string, y: string, label: string}} Drawing
 */

const COLOURS = 6;
const LETTER = 12;
/** Most bars that have their value written above them. */
const MOST_WRITTEN = 30;

const pen = document.createElement("canvas").getContext("2d");

/** @param {string} text */
function widthOf(text) {
  if (!pen) return text.length * 7;
  pen.font = `${LETTER}px ${getComputedStyle(document.documentElement).fontFamily}`;
  return pen.measureText(text).width;
}

/** @param {number} value @param {string} unit */
const shown = (value, unit) => (unit === "%" || unit === "％" ? `${number(value)}%` : number(value));

/**
 * Round numbers from below the least to above the most value.
 * @param {number} least
 * @param {number} most
 * @param {number} wanted How many, about.
 */
export function ticks(least, most, wanted = 5) {
  const span = most - least || Math.abs(most) || 1;
  const power = 10 ** Math.floor(Math.log10(span / wanted));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => span / each <= wanted) ?? 10 * power;
  const first = Math.floor(least / step + 1e-9);
  const last = Math.ceil(most / step - 1e-9);
  return Array.from({ length: Math.min(50, last - first + 1) }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/**
 * A drawing that keeps to the width of its place.
 * @param {Drawing} drawing
 */
export function plot(drawing) {
  const svg = s("svg", { class: `plot plot-${drawing.type}`, role: "img", "aria-label": drawing.label });
  const place = document.createElement("div");
  place.className = "plot-place";
  place.append(svg);
  let drawn = 0;
  const draw = () => {
    const width = Math.round(place.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    const height = Math.round(Math.min(380, Math.max(220, width * 0.62)));
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", String(height));
    svg.replaceChildren(...(drawing.type === "pie" ? pie(drawing, width, height) : axes(drawing, width, height)));
  };
  new ResizeObserver(draw).observe(place);
  document.addEventListener("language", () => {
    drawn = 0;
    draw();
  });
  return place;
}

/** @param {Drawing} drawing @param {number} width @param {number} height */
function axes(drawing, width, height) {
  const { series, unit } = drawing;
  const stacked = drawing.type === "stacked_bar";
  const lines = ["line", "area", "scatter"].includes(drawing.type);
  const labels = [...new Set(series.flatMap(({ points }) => points.map(({ label }) => label)))];
  const columns = labels.map((label) => series.map(({ points }) => points.find((point) => point.label === label)));
  const single = columns.flat().flatMap((point) => [point?.value ?? 0, point?.second ?? 0]);
  const heaps = stacked ? columns.map((column) => column.reduce((sum, point) => sum + Math.max(0, point?.value ?? 0), 0)) : [];
  const values = lines ? columns.flat().flatMap((point) => [point?.value, point?.second]).filter((value) => typeof value === "number") : [0, ...single, ...heaps];
  // A line far from zero is not pressed to the top.
  const low = Math.min(...values);
  const high = Math.max(...values);
  const marks = ticks(lines && low > 0 && low < high / 2 ? 0 : low, high || 1);
  const [bottom, top] = [marks[0], marks[marks.length - 1]];

  const margin = { left: Math.max(...marks.map((mark) => widthOf(shown(mark, unit)))) + 12, right: 10, top: 22, bottom: 0 };
  const inner = width - margin.left - margin.right;
  const band = inner / Math.max(1, labels.length);
  const longest = Math.max(0, ...labels.map(widthOf));
  const slanted = longest > band - 6;
  const every = slanted ? Math.ceil((LETTER * 1.5) / band) : 1;
  margin.bottom = (slanted ? Math.min(86, longest * 0.62 + 18) : 24) + (drawing.x ? 18 : 0);
  const floor = height - margin.bottom;
  const y = (/** @type {number} */ value) => floor - ((value - bottom) / (top - bottom || 1)) * (floor - margin.top);
  const x = (/** @type {number} */ index) => margin.left + band * (index + 0.5);

  const parts = marks.map((mark) =>
    s("g", { class: mark === 0 ? "grid zero" : "grid" }, s("line", { x1: margin.left, x2: width - margin.right, y1: y(mark), y2: y(mark) }), s("text", { x: margin.left - 8, y: y(mark), dy: "0.35em", "text-anchor": "end" }, shown(mark, unit))),
  );
  labels.forEach((label, index) => {
    if (index % every) return;
    const short = slanted && label.length > 16 ? `${label.slice(0, 15)}…` : label;
    const at = slanted ? { x: x(index), y: floor + 14, transform: `rotate(-35 ${x(index)} ${floor + 14})`, "text-anchor": "end" } : { x: x(index), y: floor + 17, "text-anchor": "middle" };
    parts.push(s("text", { class: "tick", ...at }, short));
  });
  if (drawing.x) parts.push(s("text", { class: "axis", x: margin.left + inner / 2, y: height - 4, "text-anchor": "middle" }, drawing.x));
  if (drawing.y || unit) parts.push(s("text", { class: "axis", x: 0, y: 11 }, [drawing.y, drawing.y.includes(unit) ? "" : unit].filter(Boolean).join(" · ")));
  const spots = { x, y, band, floor: y(Math.max(bottom, 0)), unit };
  return [...parts, ...(lines ? strokes(drawing, labels, spots) : stacked ? heap(columns, spots) : bars(columns, spots))];
}

/** @typedef {{x: (index: number) => number, y: (value: number) => number, band: number, floor: number, unit: string}} Spots */

/**
 * @param {Point} point
 * @param {number} colour
 * @param {...(Node | null)} children
 */
function value(point, colour, ...children) {
  const low = known(point.confidence) && level(point.confidence) === "low";
  const differs = typeof point.second === "number";
  return s("g", { class: `value c${colour % COLOURS}${low ? " low" : ""}${differs ? " differs" : ""}`, "data-key": point.key }, s("title", {}, `${point.label}: ${point.value === null ? "?" : number(point.value)}`), ...children);
}

/** @param {(Point | undefined)[][]} columns @param {Spots} spots */
function bars(columns, { x, y, band, floor, unit }) {
  const count = Math.max(1, ...columns.map((column) => column.length));
  const wide = Math.min(64, (band * 0.72) / count);
  const written = columns.flat().length <= MOST_WRITTEN;
  /** @type {(left: number, amount: number, name: string) => Element} */
  const bar = (left, amount, name) => s("rect", { class: name, x: left, width: Math.max(1, wide - 1), y: Math.min(y(amount), floor), height: Math.max(1, Math.abs(y(amount) - floor)), rx: Math.min(3, wide / 4) });
  return columns.flatMap((column, index) =>
    column.flatMap((point, place) => {
      if (!point) return [];
      const left = x(index) + (place - count / 2) * wide;
      const amount = point.value ?? 0;
      const ghost = typeof point.second === "number" ? bar(left, point.second, "ghost") : null;
      const text = point.value === null ? "?" : shown(point.value, unit);
      const highest = Math.min(y(amount), typeof point.second === "number" ? y(point.second) : Infinity, floor);
      const fits = written && widthOf(text) < Math.max(wide, count === 1 ? band : wide) + 6;
      const label = fits ? s("text", { class: "amount", x: left + wide / 2, y: highest - 5, "text-anchor": "middle" }, text) : null;
      return [value(point, columns[0].length === 1 ? 0 : place, point.value === null ? null : bar(left, amount, "block"), ghost, label)];
    }),
  );
}

/** @param {(Point | undefined)[][]} columns @param {Spots} spots */
function heap(columns, { x, y, band }) {
  const wide = Math.min(84, band * 0.7);
  return columns.flatMap((column, index) => {
    let from = 0;
    return column.flatMap((point, place) => {
      if (!point || !point.value || point.value < 0) return [];
      const [low, high] = [from, from + point.value];
      from = high;
      return [value(point, place, s("rect", { class: "block", x: x(index) - wide / 2, width: wide, y: y(high), height: Math.max(1, y(low) - y(high) - 1) }))];
    });
  });
}

/** @param {Drawing} drawing @param {string[]} labels @param {Spots} spots */
function strokes({ type, series }, labels, { x, y, floor }) {
  return series.flatMap(({ points }, colour) => {
    const placed = points.flatMap((point) => (point.value === null ? [] : [{ point, at: [x(labels.indexOf(point.label)), y(point.value)] }]));
    const path = placed.map(({ at }, index) => `${index ? "L" : "M"}${at[0].toFixed(1)} ${at[1].toFixed(1)}`).join("");
    const line = type === "scatter" || !path ? null : s("path", { class: `line c${colour % COLOURS}`, d: path });
    const area = type === "area" && path ? s("path", { class: `area c${colour % COLOURS}`, d: `${path}L${placed[placed.length - 1].at[0]} ${floor}L${placed[0].at[0]} ${floor}Z` }) : null;
    const dots = placed.map(({ point, at }) => {
      const ghost = typeof point.second === "number" ? s("circle", { class: "ghost", cx: at[0], cy: y(point.second), r: 5 }) : null;
      return value(point, colour, s("circle", { class: "dot", cx: at[0], cy: at[1], r: placed.length > 60 ? 2 : 3.5 }), ghost);
    });
    return [area, line, ...dots].filter((part) => part !== null);
  });
}

/** @param {Drawing} drawing @param {number} width @param {number} height */
function pie({ series, unit }, width, height) {
  const points = series.flatMap((each) => each.points).filter((point) => (point.value ?? 0) > 0);
  const whole = points.reduce((sum, point) => sum + (point.value ?? 0), 0);
  const radius = Math.min(height * 0.42, width * 0.26);
  const [cx, cy] = [width / 2, height / 2];
  let turn = -Math.PI / 2;
  return points.map((point, index) => {
    const share = (point.value ?? 0) / whole;
    const [from, to] = [turn, turn + share * 2 * Math.PI];
    turn = to;
    const at = (/** @type {number} */ angle, /** @type {number} */ far) => [cx + Math.cos(angle) * far, cy + Math.sin(angle) * far];
    const [start, end] = [at(from, radius), at(Math.min(to, from + 6.2831), radius)];
    const slice = s("path", { class: "slice", d: `M${cx} ${cy}L${start.join(" ")}A${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${end.join(" ")}Z` });
    const middle = (from + to) / 2;
    const [lx, ly] = at(middle, radius + 12);
    const right = Math.cos(middle) >= 0;
    const text = s("text", { class: "tick", x: lx, y: ly, dy: "0.35em", "text-anchor": right ? "start" : "end" }, `${point.label.length > 18 ? `${point.label.slice(0, 17)}…` : point.label} ${shown(point.value ?? 0, unit)}`);
    return value(point, index, slice, share > 0.015 ? text : null);
  });
}
