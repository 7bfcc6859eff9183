/** What a file is, as far as its name and type tell; the service looks at its content. */

/** @typedef {"image" | "document" | "video"} Kind */

/** File types of each kind, for the chooser. @type {Record<Kind, string[]>} */
const TYPES = {
  image: ["image/*", ".heic", ".avif", ".tif", ".tiff", ".dcm"],
  document: ["application/pdf", ".pdf", ".tif", ".tiff"],
  video: ["video/*", ".mkv"],
};
const IMAGE = /\.(jpe?g|png|webp|gif|bmp|avif|heic|heif|dcm)$/i;
const VIDEO = /\.(mp4|m4v|mov|webm|mkv)$/i;

/**
 * The kinds that a file may be; all of them where nothing is known, as for an address.
 * @param {string} name
 * @param {string} [type]
 * @returns {Kind[]}
 */
export function kindsOf(name, type = "") {
  if (type === "application/pdf" || /\.pdf$/i.test(name)) return ["document"];
  if (type === "image/tiff" || /\.tiff?$/i.test(name)) return ["document", "image"];
  if (type.startsWith("video/") || VIDEO.test(name)) return ["video"];
  if (type.startsWith("image/") || IMAGE.test(name)) return ["image"];
  return ["image", "document", "video"];
}

/**
 * What a file chooser offers for a task.
 * @param {readonly string[]} kinds
 */
export function acceptOf(kinds) {
  return [...new Set(kinds.flatMap((kind) => TYPES[/** @type {Kind} */ (kind)] ?? []))].join(",");
}

/**
 * Whether a task takes all of these.
 * @param {import("./sightline.js").TaskInfo} task
 * @param {readonly {kinds: Kind[]}[]} items
 */
export function takes(task, items) {
  return items.length <= task.media.most && items.every((item) => item.kinds.some((kind) => task.media.kinds.includes(kind)));
}
