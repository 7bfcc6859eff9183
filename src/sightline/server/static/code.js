/** Code to copy: one tab a language. */

import { copyButton, h } from "./dom.js";

/**
 * @param {Record<string, string>} code The text of each language, the first one shown first.
 */
export function codePanel(code) {
  const shown = h("code", {});
  const tabs = h("div", { class: "tabs", role: "group", label: "code" });
  for (const [name, text] of Object.entries(code)) {
    const button = h("button", { type: "button", class: "quiet", "aria-pressed": "false" }, name);
    button.addEventListener("click", () => {
      for (const other of tabs.children) other.setAttribute("aria-pressed", String(other === button));
      shown.textContent = text;
    });
    tabs.append(button);
  }
  /** @type {HTMLElement} */ (tabs.firstElementChild).click();
  return h("div", {}, h("div", { class: "code-top" }, tabs, copyButton(() => shown.textContent ?? "")), h("pre", { tabindex: 0 }, shown));
}
