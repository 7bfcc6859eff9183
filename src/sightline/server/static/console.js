/** The console: the lanes as they are, again every second while somebody looks; the books less often. */

import { auditBook, cacheBook, enginesBook, keysBook, refusedBook, usageBook } from "./books.js";
import { dress, watch } from "./chrome.js";
import { CONSOLE_TEXTS } from "./console-texts.js";
import { $ } from "./dom.js";
import { fill, language, say } from "./language.js";
import { LaneCard } from "./lanes.js";
import { Sightline, SightlineError } from "./sightline.js";
import { TEXTS } from "./texts.js";

const KEY = "sightline.key";
const EVERY_MS = 1000;
const BOOKS_MS = 30_000;
/** Days of use that are shown at first. */
const DAYS = 30;

Object.assign(TEXTS, CONSOLE_TEXTS);

/** What a person typed, where the browser keeps nothing. */
let typed = "";
const service = new Sightline({ key: keptKey, language });
/** @type {Map<string, LaneCard>} */
const lanes = new Map();
let timer = 0;
let booked = 0;
/** @type {string} What the books last showed, so that they are not drawn anew without need. */
let shown = "";

function keptKey() {
  try {
    return sessionStorage.getItem(KEY) ?? typed;
  } catch {
    return typed;
  }
}

/** @param {any} said */
function show(said) {
  $("key-form").hidden = true;
  $("rooms").hidden = false;
  fill($("console-said"), "", "");
  for (const lane of said.lanes) {
    const card = lanes.get(lane.name);
    if (card) card.show(lane);
    else {
      const made = new LaneCard(lane, (state) => turn(lane.name, state));
      lanes.set(lane.name, made);
      $("lanes").append(made.element);
    }
  }
  const { lanes: _, seconds: __, ...rest } = said;
  const now = JSON.stringify([rest, Math.floor(said.seconds / 60)]);
  if (now === shown) return;
  shown = now;
  $("refused").replaceChildren(refusedBook(said.totals));
  $("cache").replaceChildren(cacheBook(said.totals.cache));
  $("engines").replaceChildren(enginesBook(said));
  $("days").hidden = !said.keyed;
  if (!said.keyed) fill($("use-said"), "", "use_open");
}

/** @param {SightlineError} error */
function askForKey(error) {
  $("rooms").hidden = true;
  $("key-form").hidden = false;
  // A first visit is no mistake yet.
  $("key-said").textContent = keptKey() ? `${error.message} ${error.hint}` : "";
  if (document.activeElement === document.body) $("key").focus();
}

async function look() {
  clearTimeout(timer);
  let wait = EVERY_MS;
  try {
    const said = await service.get("console/state");
    show(said);
    if (performance.now() - booked > BOOKS_MS || booked === 0) {
      booked = performance.now();
      readAudit();
      if (said.keyed) readUse();
    }
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    if (error.code === 4001 || error.code === 4002) return askForKey(error);
    fill($("console-said"), "", "console_missing");
    wait = 3 * EVERY_MS;
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, wait);
}

/**
 * @param {string} lane
 * @param {import("./lanes.js").LaneState["state"]} state
 */
async function turn(lane, state) {
  try {
    const response = await service.call(`console/lanes/${lane}`, { method: "POST", body: JSON.stringify({ state }) });
    $("announcer").textContent = say("tap_done", { lane, state: { t: `state.${state}` } });
    return await response.json();
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    $("console-said").textContent = `${error.message} ${error.hint}`;
    return null;
  }
}

async function readAudit() {
  const found = await service.get("console/audit").catch(() => null);
  if (found) $("audit").replaceChildren(auditBook(found, readAudit));
}

const days = () => new URLSearchParams(Object.entries({ since: $("since").value, until: $("until").value }).filter(([, day]) => day));

async function readUse() {
  try {
    const [{ keys }, { usage }] = await Promise.all([service.get("console/keys"), service.get(`console/usage?${days()}`)]);
    $("use-said").removeAttribute("data-t");
    $("use-said").className = "use";
    $("use-said").replaceChildren(usageBook(usage), keysBook(keys));
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    $("use-said").textContent = error.message;
  }
}

async function download() {
  const table = await (await service.call(`console/usage.csv?${days()}`)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(table);
  link.download = `sightline-usage-${$("since").value || "all"}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

$("key-form").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  typed = $("key").value.trim();
  try {
    sessionStorage.setItem(KEY, typed);
  } catch {
    // Refused by the browser: it lasts as long as the page.
  }
  $("key").value = "";
  booked = 0;
  look();
});
for (const name of ["since", "until"]) $(name).addEventListener("change", readUse);
$("csv").addEventListener("click", download);
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
document.addEventListener("language", () => {
  shown = "";
  booked = 0;
});
$("since").value = new Date(Date.now() - DAYS * 86_400_000).toISOString().slice(0, 10);

dress();
watch(service);
await look();
