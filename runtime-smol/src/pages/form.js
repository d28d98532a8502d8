// The form that asks for translations: a file or a URL, into one language or several.

import { Refused, post, token } from "./api.js";
import { make } from "./tables.js";
import { send } from "./upload.js";
import { TAGS, language, size, span, tagOf } from "./words.js";

const JOBS = "v1/translations";
const UNREACHABLE = "The server cannot be reached. Try again.";
// How far a file must have come before that is said aloud again, in parts of the whole.
const SAID_PARTS = 4;

const byId = (id) => document.getElementById(id);
let file = null;
let stop = null;
// The same until it is answered: a request that is sent again for want of an answer makes no second job.
const attempts = new Map();

// Says what is wrong with a field, and goes there unless that is where people just leave.
function fault(field, text, goes = true) {
  byId(`${field}-fault`).textContent = text;
  const element = byId(field);
  if (element.tagName === "INPUT") element.setAttribute("aria-invalid", text ? "true" : "false");
  if (text && goes) (element.tagName === "INPUT" ? element : element.querySelector("input")).focus();
}

// ---- The file

function choose(chosen) {
  file = chosen ?? null;
  byId("drop").dataset.chosen = String(Boolean(file));
  byId("chosen").hidden = !file;
  byId("choose").hidden = Boolean(file);
  byId("url-field").hidden = Boolean(file);
  if (!file) byId("file").value = "";
  byId("chosen-name").textContent = file ? file.name : "";
  byId("chosen-size").textContent = file ? size(file.size) : "";
  fault("file", file && file.size === 0 ? "There is nothing in this file." : "");
}

function drop(event) {
  event.preventDefault();
  byId("drop").dataset.over = "false";
  if (stop) return;
  const dropped = [...event.dataTransfer.files];
  if (dropped.length > 1) fault("file", "One video at a time, please.");
  else if (dropped.length === 1) {
    choose(dropped[0]);
    byId("unchoose").focus();
  }
}

function over(event) {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  byId("drop").dataset.over = "true";
}

// ---- The languages

function pill(tag, checked) {
  const box = make("input");
  box.type = "checkbox";
  box.name = "to";
  box.value = tag;
  box.checked = checked;
  const label = make("label", "pill", box, make("span", "", language(tag)));
  byId("pills").append(label);
  return box;
}

const boxes = () => [...byId("pills").querySelectorAll("input")];

// Takes what is written as another language; whether it is one, or nothing.
function another() {
  const input = byId("other");
  const text = input.value.trim();
  fault("languages", "");
  if (!text) return true;
  const tag = tagOf(text);
  if (!tag) {
    fault("languages", `“${text}” is no language that is known here. Its tag will do, such as gsw for Swiss German.`, false);
    return false;
  }
  const known = boxes().find((box) => box.value.toLowerCase() === tag.toLowerCase());
  if (known) known.checked = true;
  else pill(tag, true);
  input.value = "";
  return true;
}

// ---- The sending

function moved(say) {
  let part = 0;
  return ({ at, bytes, perSecond, left }) => {
    const bar = byId("sending-bar");
    bar.max = bytes;
    bar.value = at;
    const rate = perSecond > 0 ? ` · ${size(perSecond)}/s` : "";
    const rest = left !== null && left < 86_400 ? ` · ${span(Math.max(left, 1) * 1_000)} left` : "";
    byId("sending-text").textContent = `${size(at)} of ${size(bytes)}${rate}${rest}`;
    const now = Math.floor((at * SAID_PARTS) / bytes);
    if (now > part && now < SAID_PARTS) {
      part = now;
      say(`${(100 * now) / SAID_PARTS} % of the video is sent.`);
    }
  };
}

async function sent(say) {
  const abort = new AbortController();
  stop = abort;
  byId("sending").hidden = false;
  byId("stop").focus();
  say("The video is being sent.");
  const leave = (event) => event.preventDefault();
  addEventListener("beforeunload", leave);
  try {
    return await send(file, abort.signal, moved(say), (seconds) => {
      byId("sending-text").textContent = `The connection broke. It goes on where it was in ${seconds} s.`;
      say("The connection broke. It goes on where it was, by itself.");
    });
  } finally {
    stop = null;
    removeEventListener("beforeunload", leave);
    byId("sending").hidden = true;
  }
}

async function ask(request) {
  const text = JSON.stringify(request);
  if (!attempts.has(text)) attempts.set(text, token());
  const job = await post(JOBS, request, { "idempotency-key": attempts.get(text) });
  attempts.delete(text);
  return job;
}

// Asks for a job again that failed or was called off.
export function again(job) {
  const request = { video_url: job.video_url, target_language: job.target_language };
  if (job.source_language) request.source_language = job.source_language;
  if (job.reference) request.reference = job.reference;
  return ask(request);
}

// What is wrong, in words.
function words(error) {
  if (!(error instanceof Refused)) return UNREACHABLE;
  switch (error.code) {
    case "upload_too_large":
      return `${file.name} has ${size(file.size)}, which is more than this server takes at once.`;
    case "media_full":
      return "The server has no room for this video now. Remove what you do not need, or try again later.";
    case "checksum_mismatch":
      return "What has come is not what was sent. Try again.";
    case "upload_not_found":
      return "The server has forgotten the part that was sent. Try again from the start.";
    default:
      return error.message;
  }
}

async function submit(event, then) {
  event.preventDefault();
  if (stop) return;
  const url = byId("video_url").value.trim();
  byId("new-fault").textContent = "";
  fault("video_url", "");
  if (!another()) {
    byId("other").focus();
    return;
  }
  const to = boxes().filter((box) => box.checked).map((box) => box.value);
  fault("languages", to.length > 0 ? "" : "Which language shall it be in?");
  const hasVideo = file ? file.size > 0 : url;
  if (!file) fault("video_url", url ? "" : byId("drop").hidden ? "Which video shall be translated?" : "Choose a video, or name its URL.");
  if (!hasVideo || to.length === 0) return;
  const fields = byId("new-fields");
  fields.disabled = true;
  const left = new Set(to);
  try {
    const upload = file ? await sent(then.say) : null;
    if (file && !upload) {
      then.say("Stopped. Sent again, it goes on where it was.");
      return;
    }
    for (const target of to) {
      then.taken(await ask({ video_url: upload ? upload.video_url : url, target_language: target }));
      left.delete(target);
    }
    then.say(`Submitted: ${to.map(language).join(", ")}.`);
    choose(null);
    byId("video_url").value = "";
  } catch (error) {
    then.blame(error);
    // What was taken is not asked for again.
    for (const box of boxes()) box.checked = left.has(box.value);
    if (error instanceof Refused && error.field === "video_url" && !file) fault("video_url", error.message);
    else if (error instanceof Refused && error.field === "target_language") fault("languages", error.message);
    else byId("new-fault").textContent = words(error);
  } finally {
    fields.disabled = false;
    byId("translate").focus();
  }
}

// Makes the form work: `then` is told of jobs that were taken, of errors, and what to say.
export function begin(then) {
  for (const tag of TAGS) {
    const option = make("option");
    option.value = language(tag);
    byId("all-languages").append(option);
  }
  byId("new-form").addEventListener("submit", (event) => submit(event, then));
  byId("file").addEventListener("change", (event) => {
    choose(event.target.files[0]);
    if (file) byId("unchoose").focus();
  });
  byId("unchoose").addEventListener("click", () => {
    choose(null);
    byId("file").focus();
  });
  byId("stop").addEventListener("click", () => stop?.abort());
  byId("other").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.value.trim()) return;
    event.preventDefault();
    another();
  });
  byId("other").addEventListener("change", another);
  const area = document.documentElement;
  area.addEventListener("dragover", (event) => !byId("drop").hidden && over(event));
  area.addEventListener("dragleave", () => (byId("drop").dataset.over = "false"));
  area.addEventListener("drop", (event) => !byId("drop").hidden && drop(event));
}

// Shows whether files are taken.
export function takesFiles(does) {
  byId("drop").hidden = !does;
  byId("url-label").textContent = does ? "Or its URL" : "Video URL";
}
