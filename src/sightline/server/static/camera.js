/** The camera: a picture, or a clip of up to 30 s, straight into the tray. Nothing leaves the browser before a person asks. */

import { h, icon } from "./dom.js";
import { fill } from "./language.js";

/** Seconds of a clip; the service looks at so many. */
const LONGEST = 30;
const CLIPS = ["video/mp4;codecs=avc1.42E01E", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm"];

/** Whether this browser has a camera that a page may ask for; over http it has none, except on this very machine. */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/**
 * Opens the camera; gives what was taken, or null.
 * @param {boolean} clip A clip instead of a picture.
 * @returns {Promise<File | null>}
 */
export async function shoot(clip) {
  const view = h("video", { autoplay: true, playsinline: true, muted: true, label: "camera_view" });
  view.muted = true;
  const said = h("p", { class: "field-said", role: "alert" });
  const take = h("button", { type: "button", class: "primary", t: clip ? "camera_record" : "camera_take", disabled: true });
  const turn = h("button", { type: "button", class: "quiet", t: "camera_turn" });
  const close = h("button", { type: "button", class: "quiet round", label: "close", on: { click: () => dialog.close() } }, icon("close"));
  const top = h("div", { class: "dialog-top" }, h("p", { class: "dialog-title", t: clip ? "camera_clip" : "camera" }), close);
  const dialog = h("dialog", { class: "large camera", label: "camera" }, top, h("div", { class: "dialog-view" }, view), said, h("div", { class: "dialog-foot" }, turn, take));
  /** @type {MediaStream | null} */
  let stream = null;
  /** @type {MediaRecorder | null} */
  let recorder = null;
  let facing = "environment";
  let open = true;
  const stop = () => stream?.getTracks().forEach((track) => track.stop());
  async function start() {
    stop();
    take.disabled = true;
    try {
      const found = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: clip ? 1280 : 3840 }, height: { ideal: clip ? 720 : 2160 } } });
      if (!open) return found.getTracks().forEach((track) => track.stop());
      stream = found;
      view.srcObject = stream;
      await view.play();
      take.disabled = false;
      take.focus();
    } catch (error) {
      const refused = error instanceof DOMException && error.name === "NotAllowedError";
      if (open) fill(said, "", refused ? "camera_refused" : "camera_missing");
    }
  }
  turn.addEventListener("click", () => {
    facing = facing === "environment" ? "user" : "environment";
    start();
  });
  document.body.append(dialog);
  dialog.showModal();
  start();
  /** @type {File | null} */
  const taken = await new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      open = false;
      if (recorder?.state === "recording") recorder.stop();
      resolve(null);
    });
    take.addEventListener("click", async () => {
      if (!clip) return resolve(await still(view));
      if (recorder) return recorder.stop();
      turn.hidden = true;
      fill(take, "", "camera_stop");
      recorder = record(/** @type {MediaStream} */ (stream), resolve);
    });
  });
  stop();
  dialog.close();
  dialog.remove();
  return taken;
}

/** @param {HTMLVideoElement} view */
async function still(view) {
  const canvas = h("canvas", { width: view.videoWidth, height: view.videoHeight });
  canvas.getContext("2d")?.drawImage(view, 0, 0);
  const blob = await new Promise((/** @type {(blob: Blob | null) => void} */ resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return blob && new File([blob], "camera.jpg", { type: "image/jpeg" });
}

/**
 * @param {MediaStream} stream
 * @param {(file: File) => void} done
 */
function record(stream, done) {
  const type = CLIPS.find((each) => MediaRecorder.isTypeSupported(each)) ?? "";
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  /** @type {Blob[]} */
  const parts = [];
  recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
  recorder.addEventListener("stop", () => {
    const kind = recorder.mimeType.split(";")[0];
    done(new File(parts, kind === "video/mp4" ? "camera.mp4" : "camera.webm", { type: kind }));
  });
  recorder.start();
  setTimeout(() => recorder.state === "recording" && recorder.stop(), LONGEST * 1000);
  return recorder;
}
