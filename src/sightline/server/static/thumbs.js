/** Small pictures beside questions. */

import { h, icon } from "./dom.js";

/**
 * A thumbnail; an icon for what a browser does not draw.
 * @param {Blob} blob
 * @param {string} type
 * @returns {Promise<HTMLElement | SVGElement>}
 */
export async function thumb(blob, type) {
  if (type.startsWith("video/")) return icon("clip");
  try {
    const bitmap = await createImageBitmap(blob, { resizeWidth: 72, resizeQuality: "medium" });
    const canvas = h("canvas", { width: bitmap.width, height: bitmap.height, "aria-hidden": "true" });
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
    return canvas;
  } catch {
    return icon("file");
  }
}
