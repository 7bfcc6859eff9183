/** What stands around every page: its language, its colours, and whether the service is there. */

import { $ } from "./dom.js";
import { fill, language, preferred, read, setLanguage, write } from "./language.js";

const THEME = "sightline.theme";
const THEMES = ["auto", "light", "dark"];

/** Turns the page to its reader's language and colours, and minds the two buttons. */
export function dress() {
  setLanguage(preferred());
  $("language").addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh", { keep: true }));
  paint(read(THEME) ?? "auto");
  $("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(read(THEME) ?? "auto") + 1) % THEMES.length];
    write(THEME, next);
    paint(next);
  });
}

/** @param {string} theme */
function paint(theme) {
  const known = THEMES.includes(theme) ? theme : "auto";
  if (known === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = known;
  fill($("theme"), "aria-label", `theme_${known}`);
  fill($("theme"), "title", `theme_${known}`);
}

/**
 * Keeps the status dot true: asks often while the service is away, rarely while it is there, never in a hidden tab.
 * @param {import("./sightline.js").Sightline} service
 * @param {(said: any) => void} [onReady] Told what the service says of itself whenever it becomes ready.
 */
export function watch(service, onReady = () => undefined) {
  let state = "asking";
  let timer = 0;
  /** @param {string} next */
  const show = (next) => {
    if (next === state) return;
    state = next;
    $("status").dataset.state = next;
    fill($("status-text"), "", `status_${next}`);
  };
  const look = async () => {
    clearTimeout(timer);
    try {
      const { ready, said } = await service.ready();
      if (ready && state !== "ready") onReady(said);
      show(ready ? "ready" : "starting");
    } catch {
      show("away");
    }
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(look, state === "ready" ? 20_000 : 2_000);
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  return look();
}
