/**
 * A small client for a Sightline service: ask about pictures and read the answer as it comes.
 *
 *     import { Sightline } from "./sightline.js";
 *     const service = new Sightline({ base: "https://api.example.com/qwen-vl/" });
 *     for await (const event of service.stream({ task: "vqa", images: [address], text: "How many cars?" })) {
 *       if (event.type === "token") show(event.token);
 *       if (event.type === "final") console.log(event.answer, event.confidence);
 *     }
 *
 * No dependency, no build step. Leaving the loop, or aborting the signal, stops the model.
 */

/** @typedef {string | {url: string} | {data: string} | {file_id: string}} Media */
/** @typedef {{role: "user" | "assistant", text: string, images?: Media[]}} Turn */
/** @typedef {{task: string, images?: Media[], text?: string, options?: Record<string, unknown>, messages?: Turn[]}} Ask */

/** @typedef {{code: number, type: string, msg: string, hint?: string, input?: number}} Advice */
/**
 * @typedef {object} Receipt
 * @property {number} index
 * @property {"image" | "document" | "video"} kind
 * @property {string} format
 * @property {string} sha256
 * @property {number} bytes
 * @property {number} original_width
 * @property {number} original_height
 * @property {number} sent_width
 * @property {number} sent_height
 * @property {number} visual_tokens
 * @property {string[]} [changes]
 * @property {number[]} [pages]
 * @property {number} [page_count]
 * @property {number[]} [timestamps]
 * @property {number} [seconds]
 * @property {string[]} [warnings]
 * @property {number} [ms]
 */
/**
 * @typedef {object} Metadata
 * @property {number} processing_time_ms
 * @property {number | null} activated_experts
 * @property {number | null} input_tokens
 * @property {number | null} output_tokens
 * @property {string} model
 * @property {string} task
 * @property {string} lane
 * @property {string} finish_reason
 * @property {boolean} calibrated
 * @property {number} queue_ms
 * @property {number | null} first_token_ms
 * @property {Receipt[]} receipts
 * @property {{requested: string, served: string, reason: string}} [degraded]
 * @property {string} [cache]
 */
/** @typedef {{type: "accepted", request_id: string, lane: string, model: string, predicted_wait_ms: number, degraded: boolean}} Accepted */
/** @typedef {{type: "token", token: string, index: number}} Token */
/** @typedef {{type: "progress", stage: string, done: number, total: number}} Progress */
/**
 * @typedef {object} Final
 * @property {"final"} type
 * @property {string} answer
 * @property {number | null} confidence 0..1, or null where the engine gives none
 * @property {Metadata} metadata
 * @property {string} request_id
 * @property {number} code 0, or what was less than asked (2001: a lighter model answered)
 * @property {string} msg
 * @property {unknown} structured
 * @property {Advice[]} warnings
 */
/** @typedef {Accepted | Token | Progress | Final} StreamEvent */

/** @typedef {{type: string, hint: string, retryable?: boolean, retry_after_ms?: number, details?: Record<string, any>}} ErrorDetail */
/** @typedef {{request_id: string, code: number, msg: string, error: ErrorDetail}} ErrorBody */
/**
 * @typedef {object} TaskInfo
 * @property {string} name
 * @property {{zh: string, en: string}} title
 * @property {{zh: string, en: string}} summary
 * @property {boolean} needs_text
 * @property {{kinds: string[], least: number, most: number}} media
 * @property {any} options JSON Schema of the task's options
 * @property {number} timeout_ms
 */

/**
 * Why there is no answer. `kind` is `service` where the service said so itself (then `code`, `hint` and `requestId` are
 * its own), `unreachable` where nothing answered, `cut` where a stream ended before its last event, and `foreign` where
 * something else answered, such as a proxy.
 */
export class SightlineError extends Error {
  /**
   * @param {"service" | "unreachable" | "cut" | "foreign"} kind
   * @param {string} message
   * @param {{body?: ErrorBody, status?: number, requestId?: string}} [more]
   */
  constructor(kind, message, { body, status = 0, requestId = "" } = {}) {
    super(message);
    this.name = "SightlineError";
    this.kind = kind;
    this.status = status;
    this.code = body?.code ?? null;
    this.type = body?.error.type ?? kind;
    this.hint = body?.error.hint ?? "";
    this.retryable = body ? Boolean(body.error.retryable) : true;
    this.retryAfterMs = body?.error.retry_after_ms ?? null;
    this.details = body?.error.details ?? {};
    this.requestId = body?.request_id || requestId;
  }
}

/** Turns the text of an event stream, cut anywhere, into events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventParser {
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  #start = true;

  /**
   * The events that are complete now.
   * @param {string} chunk
   * @returns {Generator<{event: string, data: string}>}
   */
  *feed(chunk) {
    this.#rest += chunk;
    if (this.#start && this.#rest) {
      if (this.#rest.startsWith("\uFEFF")) this.#rest = this.#rest.slice(1);
      this.#start = false;
    }
    // A CR at the very end may be half of a CRLF: it waits for the next chunk.
    const end = this.#rest.endsWith("\r") ? this.#rest.length - 1 : this.#rest.length;
    const ends = /\r\n|\n|\r/g;
    let from = 0;
    for (let found = ends.exec(this.#rest); found && found.index < end; found = ends.exec(this.#rest)) {
      const line = this.#rest.slice(from, found.index);
      from = ends.lastIndex;
      if (line) {
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
        if (field === "data") this.#data.push(value);
        else if (field === "event") this.#event = value;
        continue;
      }
      if (this.#data.length) yield { event: this.#event || "message", data: this.#data.join("\n") };
      this.#event = "";
      this.#data = [];
    }
    this.#rest = this.#rest.slice(from);
  }
}

/** A Sightline service. */
export class Sightline {
  /**
   * @param {object} [settings]
   * @param {string | URL} [settings.base] Where the service is mounted, with a trailing slash; by default beside the page.
   * @param {() => string} [settings.key] The API key, or an empty string.
   * @param {() => string} [settings.language] The language of messages to a person: `zh` or `en`.
   */
  constructor({ base = new URL("./", document.baseURI), key = () => "", language = () => "en" } = {}) {
    this.base = new URL(base);
    this.key = key;
    this.language = language;
  }

  /** @param {BodyInit | null | undefined} body */
  #headers(body) {
    /** @type {Record<string, string>} */
    const headers = { "Accept-Language": this.language() };
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    if (body instanceof Blob) headers["Content-Type"] = body.type || "application/octet-stream";
    if (this.key()) headers.Authorization = `Bearer ${this.key()}`;
    return headers;
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async #fetch(path, init = {}) {
    try {
      const options = { ...init, headers: this.#headers(init.body), cache: /** @type {RequestCache} */ ("no-store") };
      return await fetch(new URL(path, this.base), options);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new SightlineError("unreachable", "The service cannot be reached.");
    }
  }

  /**
   * JSON of a path. Raises `SightlineError`.
   * @param {string} path
   * @param {AbortSignal} [signal]
   */
  async get(path, signal) {
    const response = await this.#fetch(path, { signal });
    if (!response.ok) throw await refusal(response);
    return response.json();
  }

  /**
   * The tasks that there are.
   * @returns {Promise<TaskInfo[]>}
   */
  async tasks() {
    return (await this.get("tasks")).tasks;
  }

  /**
   * Whether the service takes requests, and what it says about itself.
   * @returns {Promise<{ready: boolean, said: any}>}
   */
  async ready() {
    const response = await this.#fetch("ready");
    return { ready: response.ok, said: await response.json().catch(() => null) };
  }

  /**
   * Keeps a file at the service for a while, for pictures too large for one request; the id goes where a picture does:
   * `{file_id}`. Raises `SightlineError`.
   * @param {Blob} file
   * @param {AbortSignal} [signal]
   * @returns {Promise<string>}
   */
  async upload(file, signal) {
    const response = await this.#fetch("files", { method: "POST", body: file, signal });
    if (!response.ok) throw await refusal(response);
    return (await response.json()).result.file_id;
  }

  /**
   * Forgets an upload before its time. Raises `SightlineError`.
   * @param {string} fileId
   */
  async forget(fileId) {
    const response = await this.#fetch(`files/${encodeURIComponent(fileId)}`, { method: "DELETE" });
    if (!response.ok) throw await refusal(response);
  }

  /**
   * Asks, and yields `accepted`, `token` and `progress` events as they come, and one `final`. Raises `SightlineError`.
   * @param {Ask} ask
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<StreamEvent>}
   */
  async *stream(ask, signal) {
    const response = await this.#fetch("infer_stream", { method: "POST", body: JSON.stringify(ask), signal });
    if (!response.ok) throw await refusal(response);
    if (!response.body || !(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
      throw new SightlineError("foreign", "Something other than the service answered.", { status: response.status });
    }
    let requestId = response.headers.get("X-Request-ID") ?? "";
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new EventParser();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        for (const { event, data } of parser.feed(decoder.decode(value, { stream: true }))) {
          const said = JSON.parse(data);
          if (event === "error") throw new SightlineError("service", said.msg, { body: said, status: response.status });
          if (event === "accepted") requestId = said.request_id;
          yield { type: event, ...said };
          if (event === "final") return;
        }
      }
    } catch (error) {
      if (signal?.aborted || error instanceof SightlineError) throw error;
    } finally {
      // Leaving early closes the connection, and that stops the model.
      await reader.cancel().catch(() => undefined);
    }
    throw new SightlineError("cut", "The answer broke off.", { status: response.status, requestId });
  }
}

/**
 * What a refused call says.
 * @param {Response} response
 */
async function refusal(response) {
  const requestId = response.headers.get("X-Request-ID") ?? "";
  try {
    const body = await response.json();
    if (typeof body.code === "number" && body.error) return new SightlineError("service", body.msg, { body, status: response.status });
  } catch {
    // Not the service's own words: told below.
  }
  return new SightlineError("foreign", `HTTP ${response.status}`, { status: response.status, requestId });
}
