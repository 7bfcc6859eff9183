/**
 * A small client for a Sightline service, for browsers and Node.js 20 or newer: ask about pictures, documents and clips,
 * and read the answer at once or as it comes.
 *
 *     import { Sightline } from "https://api.example.com/qwen-vl/static/sightline.js"; // or a copy of this file
 *     const service = new Sightline({ base: "https://api.example.com/qwen-vl/", key: "sl-..." });
 *
 *     const { answer, confidence } = await service.ask({ task: "vqa", images: [address], text: "How many cars?" });
 *
 *     for await (const event of service.stream({ task: "vqa", images: [file], text: "How many cars?" })) {
 *       if (event.type === "token") show(event.token);
 *       if (event.type === "final") console.log(event.answer, event.confidence);
 *     }
 *
 * No dependency, no build step. Leaving the loop, or aborting the signal, stops the model. What goes wrong is raised as a
 * `SightlineError`, in the language of `language`.
 */

/**
 * An input: an address or data URI, an object that says which it is, or the content itself.
 * @typedef {string | {url: string} | {data: string} | {file_id: string} | Blob | Uint8Array | ArrayBuffer} Media
 */
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
 * @property {{box: number[], sent_width: number, sent_height: number, visual_tokens: number}[]} [closer] Parts that were shown once more, larger
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
 * @property {boolean} needs_text Whether it needs a question; others run on their media alone.
 * @property {{kinds: string[], least: number, most: number}} media
 * @property {any} options JSON Schema of the task's options
 * @property {number} timeout_ms
 * @property {number} [timeout_ms_per_page] What every page of a document adds to it
 * @property {string[]} [personas] Names of the personas that suit it
 * @property {{text: {zh: string, en: string}, options: Record<string, unknown>}[]} [examples]
 */
/** @typedef {{name: string, title: {zh: string, en: string}, caveat: {zh: string, en: string} | null, tasks: string[]}} PersonaInfo */

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

/** Bytes of media in one request from which they are uploaded one by one, and forgotten afterwards, instead of sent within it. */
const LARGE = 8_000_000;

/** @typedef {Omit<Final, "type">} Answer A whole answer, in the shape of a stream's last event. */

/** A Sightline service. */
export class Sightline {
  /**
   * @param {object} [settings]
   * @param {string | URL} [settings.base] Where the service is mounted; in a browser by default beside the page.
   * @param {string | (() => string)} [settings.key] The API key, where the service asks for one.
   * @param {string | (() => string)} [settings.language] The language of messages to a person: `zh` or `en`.
   */
  constructor({ base = beside(), key = "", language = "en" } = {}) {
    const address = new URL(base);
    // Without its slash, the last part of a path would be replaced by what is resolved against it.
    if (!address.pathname.endsWith("/")) address.pathname += "/";
    this.base = address;
    this.key = typeof key === "function" ? key : () => key;
    this.language = typeof language === "function" ? language : () => language;
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
   * A response, whatever its status. Raises `SightlineError` where nothing answers.
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
   * The response of a call that went well. Raises `SightlineError`.
   * @param {string} path Below the base, such as `tasks`.
   * @param {RequestInit} [init]
   */
  async call(path, init) {
    const response = await this.#fetch(path, init);
    if (!response.ok) throw await refusal(response);
    return response;
  }

  /**
   * JSON of a path. Raises `SightlineError`.
   * @param {string} path
   * @param {AbortSignal} [signal]
   */
  async get(path, signal) {
    return (await this.call(path, { signal })).json();
  }

  /**
   * The tasks that there are.
   * @returns {Promise<TaskInfo[]>}
   */
  async tasks() {
    return (await this.catalog()).tasks;
  }

  /**
   * Everything that can be asked: the tasks, and the personas that may answer.
   * @returns {Promise<{tasks: TaskInfo[], personas: PersonaInfo[]}>}
   */
  async catalog() {
    const { tasks, personas = [] } = await this.get("tasks");
    return { tasks, personas };
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
   * Keeps a file at the service for a while, to be asked about more than once. What it gives goes where a picture does:
   *
   *     const file = await service.upload(blob);
   *     await service.ask({ task: "doc_analyze", images: [file], text: "Who signed it?" });
   *     await service.forget(file);
   *
   * Raises `SightlineError`.
   * @param {Blob | Uint8Array | ArrayBuffer} file
   * @param {AbortSignal} [signal]
   * @returns {Promise<{file_id: string}>}
   */
  async upload(file, signal) {
    const response = await this.call("files", { method: "POST", body: toBlob(file), signal });
    return { file_id: (await response.json()).result.file_id };
  }

  /**
   * Forgets an upload before its time. Raises `SightlineError`.
   * @param {{file_id: string}} file
   */
  async forget({ file_id }) {
    await this.call(`files/${encodeURIComponent(file_id)}`, { method: "DELETE", keepalive: true });
  }

  /**
   * Asks, and gives the answer in one piece. Raises `SightlineError`.
   * @param {Ask} ask
   * @param {AbortSignal} [signal]
   * @returns {Promise<Answer>}
   */
  async ask(ask, signal) {
    const { body, release } = await this.#prepare(ask, signal);
    try {
      const response = await this.call("infer", { method: "POST", body, signal });
      const { result, request_id, code, msg } = await response.json().catch((error) => {
        if (signal?.aborted) throw error;
        throw new SightlineError("foreign", "Something other than the service answered.", { status: response.status });
      });
      return { ...result, request_id, code, msg };
    } finally {
      release();
    }
  }

  /**
   * Asks, and yields `accepted`, `token` and `progress` events as they come, and one `final`. Raises `SightlineError`.
   * @param {Ask} ask
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<StreamEvent, void, void>}
   */
  async *stream(ask, signal) {
    const { body, release } = await this.#prepare(ask, signal);
    try {
      const response = await this.call("infer_stream", { method: "POST", body, signal });
      yield* events(response, signal);
    } finally {
      release();
    }
  }

  /**
   * The request's body. Content goes within it; much of it is uploaded first, and `release` forgets that again.
   * @param {Ask} ask
   * @param {AbortSignal} [signal]
   */
  async #prepare(ask, signal) {
    /** @type {{file_id: string}[]} */
    const uploads = [];
    const turns = [...(ask.messages ?? []), ask];
    const contents = turns.flatMap(({ images = [] }) => images).flatMap((media) => (isContent(media) ? [toBlob(media)] : []));
    const large = contents.reduce((sum, { size }) => sum + size, 0) > LARGE;
    const release = () => {
      // What cannot be forgotten now expires by itself.
      for (const file of uploads) this.forget(file).catch(() => undefined);
    };
    /** @param {Media} media */
    const send = async (media) => {
      if (!isContent(media)) return media;
      if (!large) return dataUri(toBlob(media));
      const file = await this.upload(media, signal);
      uploads.push(file);
      return file;
    };
    try {
      const images = await Promise.all((ask.images ?? []).map(send));
      const said = ask.messages && (await Promise.all(ask.messages.map(async (turn) => (turn.images ? { ...turn, images: await Promise.all(turn.images.map(send)) } : turn))));
      return { body: JSON.stringify({ ...ask, ...(ask.images && { images }), ...(said && { messages: said }) }), release };
    } catch (error) {
      release();
      throw error;
    }
  }
}

/**
 * The events of a response, to the last.
 * @param {Response} response
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<StreamEvent, void, void>}
 */
async function* events(response, signal) {
  const { status } = response;
  if (!response.body || !(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
    throw new SightlineError("foreign", "Something other than the service answered.", { status });
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
        if (event === "error") throw new SightlineError("service", said.msg, { body: said, status });
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
  throw new SightlineError("cut", "The answer broke off.", { status, requestId });
}

/** Where the service is, seen from a page of its own. */
function beside() {
  if (typeof document === "undefined") throw new TypeError("base is needed: the address of the service");
  return new URL("./", document.baseURI);
}

/**
 * @param {Media} media
 * @returns {media is Blob | Uint8Array | ArrayBuffer}
 */
function isContent(media) {
  return media instanceof Blob || media instanceof ArrayBuffer || ArrayBuffer.isView(media);
}

/** @param {Blob | Uint8Array | ArrayBuffer} content */
function toBlob(content) {
  return content instanceof Blob ? content : new Blob([/** @type {BlobPart} */ (content)]);
}

/** @param {Blob} blob */
async function dataUri(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const parts = [];
  // A multiple of three bytes is base64 without padding; more at a time is more than a call takes as arguments.
  for (let from = 0; from < bytes.length; from += 0x6000) parts.push(btoa(String.fromCharCode(...bytes.subarray(from, from + 0x6000))));
  return `data:${blob.type || "application/octet-stream"};base64,${parts.join("")}`;
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
