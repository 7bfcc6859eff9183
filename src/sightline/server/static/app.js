/** The first page: pictures in the tray, a question, and answers, the newest on top. */

import { AnswerCard } from "./answer.js";
import { dress, watch } from "./chrome.js";
import { $ } from "./dom.js";
import { keep } from "./history.js";
import { kindsOf } from "./kinds.js";
import { showPast } from "./past.js";
import { Question } from "./question.js";
import { SAMPLES } from "./samples.js";
import { Sightline, SightlineError } from "./sightline.js";
import { snippets } from "./snippets.js";
import { language, say } from "./language.js";
import { toMedia, Tray } from "./tray.js";

const KEY = "sightline.key";
/** Answers kept on the page. */
const MOST = 20;
/** Time allowed where a task's own was not enough. */
const MORE_TIME = 2;

/** @typedef {{task: import("./sightline.js").TaskInfo, text: string, options: Record<string, unknown>, items: import("./tray.js").Attachment[]}} Asked */

const service = new Sightline({ key: keptKey, language });
const question = new Question();
const tray = new Tray(service, SAMPLES, announce);
/** @type {AnswerCard[]} The newest first. */
const cards = [];
/** @type {AbortController | null} The question under way. */
let running = null;
/** @type {() => void} What to do again once a key was given. */
let afterKey = () => undefined;

function keptKey() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} text */
function announce(text) {
  $("announcer").textContent = text;
}

/** Asks what stands on the page. */
function ask() {
  if (running) return;
  const checked = question.check(tray.items);
  if (checked) run({ ...checked, items: [...tray.items] });
}

/** @param {AnswerCard} card */
function put(card) {
  cards.unshift(card);
  $("answers").prepend(card.element);
  for (const old of cards.splice(MOST)) old.dispose();
}

/**
 * The code of a question.
 * @param {string} task
 * @param {{name: string, address: string | null, blob: Blob | null}[]} items
 * @param {string} text
 * @param {Record<string, unknown>} options
 */
function codeOf(task, items, text, options) {
  const pictures = items.map((item) => ({ address: item.address, file: item.name, type: item.blob?.type ?? "" }));
  return snippets({ task, pictures, text, options }, service.base, Boolean(keptKey()));
}

/**
 * Asks, and shows the answer in a card of its own.
 * @param {Asked} asked
 */
async function run(asked) {
  const { task, text, options, items } = asked;
  const card = new AnswerCard({
    title: task.title[language()],
    text,
    items,
    own: items.some((item) => !item.sample),
    code: () => codeOf(task.name, items, text, options),
    again: () => {
      if (!tray.holds(items)) tray.restore(items);
      question.put(task.name, text, options);
    },
    stage: tray,
    service,
  });
  put(card);
  card.element.scrollIntoView({ block: "nearest" });
  announce(say("answering_said"));
  const controller = new AbortController();
  busy(controller);
  try {
    const images = await Promise.all(items.map(toMedia));
    for await (const event of service.stream({ task: task.name, images, text, options }, controller.signal)) {
      card.take(event);
      if (event.type !== "final") continue;
      await card.finish(event);
      announce(say("answered_said", { answer: event.answer.slice(0, 500) }));
      const kept = items.map(({ name, blob, address }) => ({ name, type: blob?.type ?? "", blob, address }));
      keep({ at: Date.now(), task: task.name, text, options, items: kept, final: event });
    }
  } catch (error) {
    if (controller.signal.aborted) card.stop();
    else if (error instanceof SightlineError) fail(card, error, asked);
    else throw error;
  } finally {
    busy(null);
  }
}

/**
 * An answer of an earlier visit, with its pictures.
 * @param {import("./history.js").Entry} entry
 */
function reopen(entry) {
  const task = question.tasks.find(({ name }) => name === entry.task);
  const items = entry.items.map((item) => ({ ...item, id: -1, kinds: kindsOf(item.name, item.type), pages: null }));
  const card = new AnswerCard({
    title: task?.title[language()] ?? entry.task,
    text: entry.text,
    items,
    own: false,
    code: () => codeOf(entry.task, items, entry.text, entry.options),
    again: () => {
      tray.restore(items.filter(({ blob, address }) => blob ?? address));
      question.put(entry.task, entry.text, entry.options);
    },
    stage: tray,
    service,
  });
  put(card);
  card.restore(entry.final);
  card.element.scrollIntoView({ block: "nearest" });
}

/**
 * @param {AnswerCard} card
 * @param {SightlineError} error
 * @param {Asked} asked
 */
function fail(card, error, asked) {
  /** @param {Asked} next */
  const again = (next) => () => {
    if (running) return;
    cards.splice(cards.indexOf(card), 1);
    card.dispose();
    run(next);
  };
  const time = /** @type {number} */ (asked.options.timeout_ms ?? asked.task.timeout_ms);
  card.fail(error, {
    retry: again(asked),
    retryWithMoreTime: again({ ...asked, options: { ...asked.options, timeout_ms: Math.min(time * MORE_TIME, 3_600_000) } }),
    removeInput: (index) => tray.remove(asked.items[index]?.id ?? -1),
  });
  if (error.code === 4001) askForKey(again(asked));
  announce(error.kind === "service" ? `${error.message} ${error.hint}` : say(`kind.${error.kind}`, { message: error.message }));
}

/** @param {AbortController | null} controller */
function busy(controller) {
  const hadFocus = [$("ask"), $("stop")].includes(document.activeElement);
  running = controller;
  $("ask").hidden = Boolean(controller);
  $("stop").hidden = !controller;
  if (hadFocus) $(controller ? "stop" : "ask").focus();
}

/** @param {() => void} then */
function askForKey(then) {
  afterKey = then;
  $("key-form").hidden = false;
  $("key").focus();
}

async function loadTasks() {
  try {
    const { tasks, personas } = await service.catalog();
    question.setTasks(tasks, personas);
    question.complain("");
  } catch (error) {
    if (!(error instanceof SightlineError)) throw error;
    if (error.code === 4001) askForKey(loadTasks);
    else question.complain("tasks_missing");
  }
}

question.onask = ask;
question.ontask = (/** @type {import("./sightline.js").TaskInfo} */ task) => tray.serve(task);
tray.onchange = () => {
  question.showExamplesFor(tray.sample);
  question.complain("");
  for (const card of cards) card.place();
};
tray.onarrival = (/** @type {import("./tray.js").Attachment[]} */ items) => question.fit(items, tray.sample?.task);
$("stop").addEventListener("click", () => running?.abort());
addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
});
$("key-form").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  try {
    sessionStorage.setItem(KEY, $("key").value.trim());
  } catch {
    return;
  }
  $("key-form").hidden = true;
  if (!question.task) loadTasks();
  afterKey();
});

dress();
watch(service, (said) => {
  const models = (said?.models ?? []).map((/** @type {{name: string}} */ model) => model.name);
  $("model").textContent = models[0] ?? "";
  question.setModels(models);
  if (!question.task) loadTasks();
});
showPast(reopen);
await Promise.all([loadTasks(), tray.addSample(SAMPLES[0], { ifEmpty: true })]);
