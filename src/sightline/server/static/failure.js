/** A failure, told so that a person knows what to do next. */

import { copyButton, h } from "./dom.js";
import { fill, has } from "./language.js";

/** @typedef {{retry: () => void, retryWithMoreTime: (() => void) | null, removeInput: ((index: number) => void) | null}} Actions */

/**
 * @param {import("./sightline.js").SightlineError} error
 * @param {Actions} actions
 */
export function failure(error, actions) {
  const own = error.kind !== "service";
  const about = h("p", { class: "about-failure" });
  if (error.code !== null) about.append(h("span", { class: "tag", t: "code_number", tv: { code: String(error.code) } }));
  else about.append(h("span", { class: "tag" }, error.kind));
  if (error.requestId) about.append(h("code", {}, error.requestId), copyButton(() => error.requestId));
  const input = typeof error.details.input === "number" ? error.details.input : null;
  return h(
    "div",
    { class: "failure", "data-code": error.code ?? error.kind },
    own
      ? h("p", { class: "failure-said", t: `kind.${error.kind}`, tv: { message: error.message } })
      : h("p", { class: "failure-said" }, error.message),
    hintOf(error),
    h("p", { class: "actions" }, ...buttons(error, actions, input)),
    about,
  );
}

/** @param {import("./sightline.js").SightlineError} error */
function hintOf(error) {
  const key = error.kind === "service" ? `hint.${error.code}` : `kind.${error.kind}.hint`;
  if (has(key)) return h("p", { class: "failure-hint", t: key });
  return error.hint ? h("p", { class: "failure-hint" }, error.hint) : null;
}

/**
 * @param {import("./sightline.js").SightlineError} error
 * @param {Actions} actions
 * @param {number | null} input
 */
function buttons(error, actions, input) {
  const shown = [];
  if (error.code === 2002 && actions.retryWithMoreTime) shown.push(h("button", { type: "button", class: "button", t: "more_time", on: { click: actions.retryWithMoreTime } }));
  else if (error.retryable) shown.push(retryButton(error.retryAfterMs, actions.retry));
  if (input !== null && actions.removeInput) {
    const remove = actions.removeInput;
    shown.push(h("button", { type: "button", class: "quiet", t: "remove_input", tv: { n: input + 1 }, on: { click: () => remove(input) } }));
  }
  return shown;
}

/**
 * A button that can be pressed when the service said to come back.
 * @param {number | null} wait
 * @param {() => void} retry
 */
function retryButton(wait, retry) {
  const button = h("button", { type: "button", class: "button", t: "retry", on: { click: retry } });
  const until = performance.now() + (wait ?? 0);
  const tick = () => {
    const left = until - performance.now();
    button.disabled = left > 0;
    if (left <= 0) return fill(button, "", "retry");
    fill(button, "", "retry_in", { n: Math.ceil(left / 1000) });
    setTimeout(tick, Math.min(left, 1000));
  };
  if (wait) tick();
  return button;
}
