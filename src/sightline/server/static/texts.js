/**
 * Everything the page says of itself, in English and Chinese, and how an element keeps its text when the language changes.
 *
 * `{name}` is a gap; a number in it is written as the language writes numbers. `{n|token|tokens}` chooses by number.
 */

/** @typedef {"zh" | "en"} Language */

/** @type {Record<string, [en: string, zh: string]>} */
export const TEXTS = {
  title: ["Sightline: ask a picture", "Sightline：向图片提问"],
  tagline: ["Ask a picture.", "向图片提问。"],
  site: ["Site", "站点"],
  contents: ["Contents", "目录"],
  error_table: ["Table of errors", "错误表"],
  skip: ["Skip to the question", "跳到提问"],
  needs_scripts: ["This page needs JavaScript.", "本页需要启用 JavaScript。"],
  api: ["API", "接口"],
  api_label: ["API reference", "接口文档"],
  other_language: ["中文", "English"],
  other_language_label: ["Switch the page to Chinese: 中文", "将页面切换为英文：English"],
  theme_auto: ["Colours: as the system. Switch to light", "配色：跟随系统。切换为浅色"],
  theme_light: ["Colours: light. Switch to dark", "配色：浅色。切换为深色"],
  theme_dark: ["Colours: dark. Switch to the system's", "配色：深色。切换为跟随系统"],

  status_asking: ["Connecting", "正在连接"],
  status_ready: ["Ready", "就绪"],
  status_starting: ["Starting", "启动中"],
  status_away: ["Unreachable", "无法连接"],

  pictures: ["Pictures", "图片"],
  drop_title: ["Drop a picture here", "把图片拖到这里"],
  drop_more: ["or paste one, or choose from your files", "也可以粘贴，或从文件中选择"],
  drop_now: ["Let go to look at it", "松手即可添加"],
  choose: ["Choose pictures", "选择图片"],
  by_address: ["Address", "网址"],
  address: ["Address of a picture", "图片网址"],
  address_prompt: ["https://…", "https://…"],
  add: ["Add", "添加"],
  address_bad: ["An address starts with https:// or http://", "网址须以 https:// 或 http:// 开头"],
  samples: ["Samples", "示例"],
  sample_label: ["Use the sample picture: {title}", "使用示例图片：{title}"],
  sample_note: ["Sample picture. Drop, paste or choose your own.", "示例图片。可拖入、粘贴或选择您自己的图片。"],
  remove: ["Remove {name}", "移除 {name}"],
  picture_alt: ["Picture {n}: {name}", "图片 {n}：{name}"],
  fetched_by_service: ["The service fetches it when you ask.", "提问时由服务获取。"],
  no_preview: ["No preview here; the service can still read it.", "此处无法预览，服务仍可读取。"],
  added: ["Added {name}", "已添加 {name}"],
  removed: ["Removed {name}", "已移除 {name}"],
  too_many: ["At most {n|picture|pictures} for this task", "此任务最多 {n} 张图片"],

  task: ["Task", "任务"],
  question: ["Question", "问题"],
  question_prompt: ["What would you like to know?", "您想了解什么？"],
  wish_prompt: ["Anything to add? You may leave this empty.", "有补充要求吗？可留空。"],
  ask: ["Ask", "提问"],
  stop: ["Stop", "停止"],
  need_picture: ["Add a picture first.", "请先添加图片。"],
  need_question: ["Write a question first.", "请先写下问题。"],
  examples: ["Try", "试试"],
  options: ["Options", "选项"],
  option_default: ["default", "默认"],
  option_bad: ["{name}: not an allowed value", "{name}：取值不允许"],
  "option.max_tokens": ["Longest answer (tokens)", "最长回答（词元）"],
  "option.temperature": ["Temperature", "温度"],
  "option.top_p": ["Top p", "Top p"],
  "option.top_k": ["Top k", "Top k"],
  "option.seed": ["Seed", "随机种子"],
  "option.language": ["Language of the answer", "回答语言"],
  "option.detail": ["Picture detail", "图片精细度"],
  "option.style": ["Style", "风格"],
  "option.timeout_ms": ["Time limit (ms)", "时限（毫秒）"],
  "option.model": ["Model", "模型"],
  "value.true": ["yes", "是"],
  "value.false": ["no", "否"],
  "value.en": ["English", "English"],
  "value.zh": ["中文", "中文"],
  "value.auto": ["automatic", "自动"],
  "value.low": ["low", "低"],
  "value.high": ["high", "高"],
  "value.off": ["off", "关闭"],
  "value.only": ["only those", "仅用已存"],
  "value.refresh": ["ask anew", "重新回答"],
  "value.short": ["one sentence", "一句话"],
  "value.detailed": ["in detail", "详细"],
  "option.cache": ["Remembered answers", "已存回答"],
  "option.allow_degraded": ["Lighter model may answer", "允许轻量模型回答"],

  answers: ["Answers", "回答"],
  answering: ["Looking", "正在看图"],
  answering_queue: ["Waiting, about {wait}", "排队中，约 {wait}"],
  answering_said: ["The model is answering.", "模型正在回答。"],
  answered_said: ["Answer: {answer}", "回答：{answer}"],
  stopped: ["Stopped. The model was told to stop too.", "已停止，模型也已收到停止指令。"],
  empty_answer: ["The model ended without saying anything.", "模型没有给出任何内容。"],
  progress: ["{stage}: {done} of {total}", "{stage}：{done} / {total}"],

  confidence: ["Confidence", "置信度"],
  confidence_value: ["{percent}%", "{percent}%"],
  confidence_none: ["Confidence unknown", "置信度未知"],
  confidence_none_why: ["The engine gives no token probabilities.", "引擎未提供词元概率。"],
  confidence_raw: ["not calibrated", "未校准"],
  confidence_raw_why: [
    "The model's own token probabilities. They have not been checked against how often it is right.",
    "取自模型自身的词元概率，尚未与实际正确率校准。",
  ],
  confidence_calibrated: ["calibrated", "已校准"],
  confidence_calibrated_why: [
    "Checked against how often the model was right on held-out pictures.",
    "已按模型在留出图片上的实际正确率校准。",
  ],
  confidence_low: ["Unsure: look for yourself", "把握不大，请自行核对"],

  simulated: ["Simulated engine: this answer is made up", "模拟引擎：此回答并非真实"],
  degraded: ["Answered by a lighter model: {served} instead of {requested} ({reason})", "由较轻的模型回答：{served}，而非 {requested}（{reason}）"],
  "reason.overloaded": ["overloaded", "负载过高"],
  "reason.unavailable": ["unavailable", "不可用"],
  cut_short: ["The answer reached its longest length.", "回答已达到最长长度。"],
  cut_short_hint: ["Allow more tokens under Options.", "可在“选项”中增大词元上限。"],
  small_model: [
    "{model} is the small model that comes in the box: it reads shapes, colours, counts and bar charts, and little else. Start the service with a larger model for photographs.",
    "{model} 是随附的小模型：能看懂形状、颜色、数量和柱状图，其他内容有限。如需理解照片，请用更大的模型启动服务。",
  ],

  plain: ["{value}", "{value}"],
  ms: ["{n} ms", "{n} 毫秒"],
  seconds: ["{n} s", "{n} 秒"],
  tokens: ["{input} tokens in, {output} out", "输入 {input}、输出 {output} 词元"],
  experts: ["{n|expert|experts} active", "激活 {n} 个专家"],
  lane: ["lane {lane}", "通道 {lane}"],
  numbers: ["How the answer came about", "回答的由来"],

  receipt: ["{from} → {to}, {n|token|tokens}", "{from} → {to}，{n} 词元"],
  receipts: ["What the model saw", "模型看到的内容"],
  receipt_about: ["{n|picture|pictures}, {tokens|token|tokens}", "{n} 张图片，{tokens} 词元"],
  receipt_pages: ["pages {pages} of {total}", "第 {pages} 页，共 {total} 页"],
  receipt_frames: ["{n|frame|frames} of {seconds} s", "{seconds} 秒中的 {n} 帧"],
  receipt_unchanged: ["unchanged", "未改动"],
  "change.rotated": ["turned upright", "已转正"],
  "change.flattened": ["transparency put on white", "透明部分已置于白底"],
  "change.resized": ["resized", "已缩放"],
  "change.clipped": ["clipped", "已截取"],
  "change.cropped": ["cropped", "已裁剪"],
  about_request: ["request", "请求"],
  about_first: ["first token", "首个词元"],
  about_total: ["whole answer", "总用时"],
  about_queue: ["waited", "排队"],
  about_model: ["model", "模型"],
  about_finish: ["ended by", "结束原因"],
  "finish.stop": ["the model", "模型自行结束"],
  "finish.length": ["the length limit", "长度上限"],
  about_cache: ["cache", "缓存"],
  about_print: ["sha256", "sha256"],

  structured: ["Structured result", "结构化结果"],
  code: ["Code", "代码"],
  code_note: ["This very question, from your own program.", "在您的程序中提出同一个问题。"],
  copy: ["Copy", "复制"],
  copy_answer: ["Copy the answer", "复制回答"],
  copied: ["Copied", "已复制"],
  not_copied: ["Select and copy by hand", "请手动选中复制"],

  code_number: ["Code {code}", "代码 {code}"],
  // What a program is told of these is of no use to a person at this page.
  "hint.2001": ["It should be free again in a moment.", "稍候片刻即可恢复。"],
  "hint.2002": ["Allow more time, or send fewer or smaller pictures.", "请放宽时限，或减少、缩小图片。"],
  "hint.4001": ["Enter your key in the field above.", "请在上方填写密钥。"],
  "hint.4003": ["Wait a moment before you ask again.", "请稍候再问。"],
  retry: ["Try again", "重试"],
  retry_in: ["Try again in {n} s", "{n} 秒后可重试"],
  more_time: ["Try again with twice the time", "以双倍时限重试"],
  remove_input: ["Remove picture {n}", "移除第 {n} 张图片"],
  "kind.unreachable": ["The service cannot be reached.", "无法连接到服务。"],
  "kind.unreachable.hint": ["Is it still running, and are you still online?", "请确认服务仍在运行，且网络连接正常。"],
  "kind.cut": ["The answer broke off before its end.", "回答在结束前中断。"],
  "kind.cut.hint": ["The connection was lost on the way. What came so far is shown above.", "连接中途断开，上方是已收到的内容。"],
  "kind.foreign": ["Something other than the service answered ({message}).", "应答的不是本服务（{message}）。"],
  "kind.foreign.hint": ["A proxy in between may be misconfigured or too strict.", "中间的代理可能配置有误或限制过严。"],
  tasks_missing: ["The list of tasks could not be read.", "无法读取任务列表。"],

  key_title: ["This service asks for a key", "此服务需要密钥"],
  key_note: ["It stays in this tab and is forgotten when you close it.", "仅保存在本标签页，关闭后即忘。"],
  key: ["API key", "API 密钥"],
  key_use: ["Use this key", "使用此密钥"],

  docs_title: ["Sightline: API reference", "Sightline：接口文档"],
  docs_lead: ["Every call, what goes in and what comes back.", "每个接口、输入与返回。"],
  docs_back: ["Playground", "体验页面"],
  docs_paths: ["Calls", "接口"],
  docs_schemas: ["Schemas", "数据结构"],
  docs_errors: ["Errors", "错误"],
  docs_body: ["Request body", "请求体"],
  docs_parameters: ["Parameters", "参数"],
  docs_responses: ["Responses", "返回"],
  docs_field: ["Field", "字段"],
  docs_type: ["Type", "类型"],
  docs_meaning: ["Meaning", "含义"],
  docs_required: ["required", "必填"],
  docs_default: ["default {value}", "默认 {value}"],
  docs_code: ["Code", "代码"],
  docs_status: ["HTTP", "HTTP"],
  docs_message: ["Message", "说明"],
  docs_hint: ["What to do", "处理办法"],
  docs_retryable: ["Try again", "可重试"],
  docs_yes: ["yes", "是"],
  docs_no: ["no", "否"],
  docs_fields_of: ["Fields of {of}", "{of} 的字段"],
  docs_parameters_of: ["Parameters of {of}", "{of} 的参数"],
  docs_responses_of: ["Responses of {of}", "{of} 的返回"],
  docs_missing: ["The description of the service could not be read.", "无法读取接口描述。"],
};

const KEPT = "sightline.language";

/** @type {Language} */
let current = "en";

/** The language of the page. */
export function language() {
  return current;
}

/** The language a visitor last chose, or the first of the browser's that is one of ours. */
export function preferred() {
  const kept = read(KEPT);
  if (kept === "zh" || kept === "en") return kept;
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.toLowerCase().split("-")[0]);
  return wanted.find((tag) => tag === "zh" || tag === "en") === "zh" ? "zh" : "en";
}

/**
 * Turns the page to a language; `keep` remembers it for the next visit.
 * @param {Language} wanted
 * @param {{keep?: boolean}} [settings]
 */
export function setLanguage(wanted, { keep = false } = {}) {
  current = wanted;
  document.documentElement.lang = wanted === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.language = wanted;
  if (keep) write(KEPT, wanted);
  translate(document.documentElement);
  document.dispatchEvent(new CustomEvent("language", { detail: wanted }));
}

/**
 * A text in the page's language; a text without an entry is given back as it is. A gap may be filled by another text:
 * `{t: name, ...values}`.
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 * @returns {string}
 */
export function say(key, values = {}) {
  const entry = TEXTS[key];
  if (!entry) return key;
  return entry[current === "zh" ? 1 : 0].replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    const value = /** @type {any} */ (values[name]);
    const shown = typeof value === "number" ? number(value) : value?.t ? say(value.t, value) : String(value ?? "");
    return one === undefined ? shown : `${shown} ${value === 1 ? one : many}`;
  });
}

/**
 * Whether there is a text of this name.
 * @param {string} key
 */
export function has(key) {
  return key in TEXTS;
}

/**
 * A number as the page's language writes it.
 * @param {number} value
 */
export function number(value) {
  return new Intl.NumberFormat(current === "zh" ? "zh-CN" : "en", { maximumFractionDigits: 2 }).format(value);
}

/**
 * A time, to fill a gap with: milliseconds below ten seconds, seconds above.
 * @param {number} ms
 */
export function duration(ms) {
  return ms < 10_000 ? { t: "ms", n: Math.round(ms) } : { t: "seconds", n: Math.round(ms / 100) / 10 };
}

/** Attribute of the text's name, by what it fills: an empty name is the element's own text. */
const SLOTS = { "": "data-t", "aria-label": "data-t-label", title: "data-t-title", placeholder: "data-t-placeholder", alt: "data-t-alt" };

/**
 * Gives an element a text that follows the language.
 * @param {Element} element
 * @param {keyof typeof SLOTS} slot
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 */
export function fill(element, slot, key, values) {
  element.setAttribute(SLOTS[slot], key);
  if (values) element.setAttribute(`${SLOTS[slot]}-v`, JSON.stringify(values));
  else element.removeAttribute(`${SLOTS[slot]}-v`);
  show(element, slot);
}

/**
 * @param {Element} element
 * @param {keyof typeof SLOTS} slot
 */
function show(element, slot) {
  const key = element.getAttribute(SLOTS[slot]);
  if (key === null) return;
  const values = JSON.parse(element.getAttribute(`${SLOTS[slot]}-v`) ?? "{}");
  if (slot) element.setAttribute(slot, say(key, values));
  else element.textContent = say(key, values);
}

/** @param {Element} root */
function translate(root) {
  for (const slot of /** @type {(keyof typeof SLOTS)[]} */ (Object.keys(SLOTS))) {
    for (const element of root.querySelectorAll(`[${SLOTS[slot]}]`)) show(element, slot);
  }
}

/**
 * What the browser keeps under a name, or null; some browsers refuse storage altogether.
 * @param {string} name
 */
export function read(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function write(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A private window: the choice lasts as long as the page.
  }
}
