/** What was asked before, kept in this browser and nowhere else: questions, answers and the pictures themselves. */

const NAME = "sightline";
const STORE = "answers";
/** Entries that are kept, and bytes of pictures in one of them. */
const MOST = 60;
const MOST_BYTES = 25_000_000;

/** @typedef {{name: string, type: string, blob: Blob | null, address: string | null}} KeptItem */
/**
 * @typedef {object} Entry
 * @property {number} [id]
 * @property {number} at Milliseconds since 1970.
 * @property {string} task
 * @property {string} text
 * @property {Record<string, unknown>} options
 * @property {KeptItem[]} items
 * @property {import("./sightline.js").Final} final
 */

/** @type {Promise<IDBDatabase> | null} */
let opening = null;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true }));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
  return opening;
}

/**
 * One request to the store; undefined where the browser keeps nothing, as in some private windows.
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} work
 * @returns {Promise<T | undefined>}
 */
async function ask(mode, work) {
  try {
    const store = (await database()).transaction(STORE, mode).objectStore(STORE);
    const request = work(store);
    return await new Promise((resolve, reject) => {
      request.addEventListener("success", () => resolve(request.result));
      request.addEventListener("error", () => reject(request.error));
    });
  } catch {
    return undefined;
  }
}

/**
 * Keeps an answer; pictures that are too large are left out, and so are the oldest entries.
 * @param {Entry} entry
 */
export async function keep(entry) {
  let room = MOST_BYTES;
  const items = entry.items.map((item) => {
    const fits = item.blob !== null && item.blob.size <= room;
    if (fits) room -= /** @type {Blob} */ (item.blob).size;
    return { ...item, blob: fits ? item.blob : null };
  });
  await ask("readwrite", (store) => store.add({ ...entry, items }));
  const keys = (await ask("readonly", (store) => store.getAllKeys())) ?? [];
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await ask("readwrite", (store) => store.delete(key));
}

/**
 * All entries, the newest first.
 * @returns {Promise<Entry[]>}
 */
export async function kept() {
  return ((await ask("readonly", (store) => store.getAll())) ?? []).reverse();
}

/** @param {number} id */
export async function forget(id) {
  await ask("readwrite", (store) => store.delete(id));
}

export async function forgetAll() {
  await ask("readwrite", (store) => store.clear());
}
