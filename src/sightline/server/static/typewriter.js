/** Text that types itself: one write to the page a frame, however fast the words come. */

/** Frames over which what is waiting is spread; after the end it goes twice as fast. */
const FRAMES = 8;

export class Typewriter {
  #waiting = "";
  #frame = 0;
  #ended = false;
  /** @type {(() => void)[]} */
  #watchers = [];

  /** @param {Text} node Where the text goes. */
  constructor(node) {
    this.node = node;
    this.instant = matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  /** Everything that was pushed, typed or still waiting. */
  get text() {
    return this.node.data + this.#waiting;
  }

  /** @param {string} text */
  push(text) {
    this.#waiting += text;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#write());
  }

  /** Types out the rest; resolves when all of it is on the page. */
  async end() {
    this.#ended = true;
    // No frames are drawn in a tab that nobody sees.
    if (document.hidden) this.flush();
    if (this.#waiting) await new Promise((/** @type {(value: void) => void} */ resolve) => this.#watchers.push(resolve));
  }

  /** Writes all that waits at once. */
  flush() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.node.appendData(this.#waiting);
    this.#waiting = "";
    for (const tell of this.#watchers.splice(0)) tell();
  }

  #write() {
    let count = Math.max(1, Math.ceil(this.#waiting.length / (this.#ended ? FRAMES / 2 : FRAMES)));
    if (this.instant || count >= this.#waiting.length) return this.flush();
    const last = this.#waiting.charCodeAt(count - 1);
    if (last >= 0xd800 && last < 0xdc00) count += 1;
    this.node.appendData(this.#waiting.slice(0, count));
    this.#waiting = this.#waiting.slice(count);
    this.#frame = requestAnimationFrame(() => this.#write());
  }
}
