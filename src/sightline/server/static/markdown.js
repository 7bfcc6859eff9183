/**
 * An answer in Markdown as elements. The vendored lexer reads it; every element is made here, so that nothing that a model
 * or a document says is ever parsed as HTML: tags are shown as they are written, pictures by their address, and links
 * lead only to the web.
 */

import { h } from "./dom.js";
import { Lexer } from "./vendor/marked/marked.esm.js";

/** @typedef {any} Mark A token of the lexer. */

const PLAIN = new Set(["paragraph", "text", "space", "escape", "br", "html"]);

/**
 * The answer as elements; null where it is plain text, which stays as it was typed.
 * @param {string} text
 * @returns {HTMLElement[] | null}
 */
export function render(text) {
  const tokens = new Lexer({ gfm: true, breaks: true }).lex(text);
  if (isPlain(tokens)) return null;
  rank(tokens);
  return tokens.flatMap(block);
}

/** @param {Mark[]} tokens @returns {boolean} */
function isPlain(tokens) {
  return tokens.every((token) => PLAIN.has(token.type) && isPlain(token.tokens ?? []));
}

/**
 * Headings stand below the page's own, and none is more than one level below the last, as who listens to them expects.
 * @param {Mark[]} tokens
 */
function rank(tokens) {
  const headings = tokens.filter(({ type }) => type === "heading");
  const depths = [...new Set(headings.map(({ depth }) => depth))].sort((a, b) => a - b);
  let last = 2;
  for (const heading of headings) {
    last = Math.min(3 + depths.indexOf(heading.depth), last + 1, 6);
    heading.level = last;
  }
}

/** @param {Mark} token @returns {HTMLElement[]} */
function block(token) {
  switch (token.type) {
    case "space":
    case "def":
      return [];
    case "heading":
      return [h(/** @type {"h3"} */ (`h${token.level ?? 6}`), {}, ...inline(token.tokens))];
    case "paragraph":
      return [h("p", {}, ...inline(token.tokens))];
    case "code":
      return [h("pre", { tabindex: 0 }, h("code", {}, token.text))];
    case "blockquote":
      return [h("blockquote", {}, ...token.tokens.flatMap(block))];
    case "hr":
      return [h("hr")];
    case "list": {
      const items = token.items.map((/** @type {Mark} */ item) => h("li", {}, item.task ? (item.checked ? "☑ " : "☐ ") : null, ...item.tokens.flatMap(part)));
      return [token.ordered ? h("ol", { start: token.start === 1 ? null : token.start }, ...items) : h("ul", {}, ...items)];
    }
    case "table": {
      const row = (/** @type {Mark[]} */ cells, /** @type {"td" | "th"} */ tag) =>
        h("tr", {}, ...cells.map((cell) => h(tag, { class: cell.align === "right" ? "right" : null, scope: tag === "th" ? "col" : null }, ...inline(cell.tokens))));
      const table = h("table", {}, h("thead", {}, row(token.header, "th")), h("tbody", {}, ...token.rows.map((/** @type {Mark[]} */ cells) => row(cells, "td"))));
      return [h("div", { class: "scroll", tabindex: 0, role: "region", label: "table" }, table)];
    }
    default:
      return [h("p", {}, token.raw.trimEnd())];
  }
}

/** What stands in a list's item: its words as they are, everything else as a block. @param {Mark} token @returns {(Node | string)[]} */
function part(token) {
  return token.type === "text" ? inline(token.tokens ?? [token]) : block(token);
}

/** @param {Mark[]} tokens @returns {(Node | string)[]} */
function inline(tokens) {
  return tokens.map((token) => {
    switch (token.type) {
      case "strong":
        return h("strong", {}, ...inline(token.tokens));
      case "em":
        return h("em", {}, ...inline(token.tokens));
      case "del":
        return h("del", {}, ...inline(token.tokens));
      case "codespan":
        return h("code", {}, token.text);
      case "br":
        return h("br");
      case "link":
        return /^https?:\/\//i.test(token.href)
          ? h("a", { href: token.href, rel: "noopener noreferrer nofollow", target: "_blank" }, ...inline(token.tokens))
          : h("span", {}, ...inline(token.tokens));
      case "text":
        return token.tokens ? h("span", {}, ...inline(token.tokens)) : token.text;
      case "escape":
        return token.text;
      default:
        return token.raw;
    }
  });
}
