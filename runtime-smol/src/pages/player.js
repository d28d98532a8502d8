// A translated video beside its original.

import { headers, key } from "./api.js";
import { make } from "./tables.js";
import { language, size } from "./words.js";

// What is read into memory at most where a key stands between: an element cannot send one.
const HELD_BYTES_MAX = 512 * 1024 * 1024;

const byId = (id) => document.getElementById(id);
const videos = () => [byId("original"), byId("translated")];
let shown = null;
let from = null;
let held = [];

// The upload that a job's video is; nothing where it is none.
export function uploadOf(job) {
  return /^dubhook:(med_[0-9a-z]+)$/.exec(job.video_url)?.[1] ?? "";
}

// Where this server has the output of a job; nothing where it is elsewhere. A link of the server's that needs no key carries its
// own proof, under whatever name the server knows itself by.
export function outputOf(job) {
  if (job.status !== "completed") return "";
  const path = `v1/translations/${job.id}/output`;
  try {
    const url = new URL(job.output_url);
    if (url.pathname.endsWith(`/${path}`)) return path + url.search;
    return url.protocol === "file:" ? path : "";
  } catch {
    return "";
  }
}

// The same of what lies below the output.
const below = (output, name) => output.replace(/\/output(?=$|\?)/, `/output/${name}`);
const isOpen = (path) => !key.get() || path.includes("signature=");

// The same path, without a proof that is none any more: it is over, or the server signs with another key. Who has a key of the
// server's needs none.
async function proved(path) {
  if (!key.get() || !path.includes("signature=")) return path;
  const head = await fetch(path, { method: "HEAD", cache: "no-store" });
  return head.status === 403 ? path.split("?")[0] : path;
}

// What an element can load. In an object store it is at a URL that proves itself.
async function loadable(path) {
  if (isOpen(path)) return path;
  const head = await fetch(path, { method: "HEAD", headers: headers({}), cache: "no-store" });
  const bytes = Number(head.headers.get("content-length") ?? 0);
  if (head.ok && head.headers.has("content-location")) return head.headers.get("content-location");
  if (!head.ok) throw new Error(head.status === 404 ? "The server has it no more." : `The server answered ${head.status}.`);
  if (bytes > HELD_BYTES_MAX) throw new Error(`It has ${size(bytes)}: too much to be played here. Save it instead.`);
  const body = await fetch(path, { headers: headers({}), cache: "no-store" });
  const url = URL.createObjectURL(await body.blob());
  held.push(url);
  return url;
}

function fault(which, text) {
  byId(`${which}-fault`).textContent = text;
  byId(which).hidden = Boolean(text);
}

async function load(which, path) {
  const video = byId(which);
  fault(which, "");
  try {
    const url = await loadable(path);
    if (shown === null) return;
    video.src = url;
  } catch (error) {
    fault(which, error.message);
  }
}

function forget() {
  shown = null;
  for (const video of videos()) {
    video.pause();
    video.removeAttribute("src");
    video.replaceChildren();
    video.load();
  }
  for (const url of held.splice(0)) URL.revokeObjectURL(url);
}

function close() {
  forget();
  byId("player").hidden = true;
  if (from?.isConnected) from.focus();
}

// Which subtitles are seen, in both videos.
function subtitle() {
  const wanted = byId("subtitles").value;
  for (const video of videos()) {
    for (const track of video.textTracks) track.mode = track.language === wanted ? "showing" : "disabled";
  }
}

async function subtitles(job, output) {
  const select = byId("subtitles");
  select.replaceChildren(make("option", "", "None"));
  select.firstElementChild.value = "";
  byId("subtitles-field").hidden = true;
  const path = below(output, "subtitles.vtt");
  const found = await fetch(path, { method: "HEAD", headers: headers({}), cache: "no-store" }).catch(() => ({ ok: false }));
  if (!found.ok || shown !== job.id) return;
  const url = await loadable(path);
  for (const video of videos()) {
    const track = make("track");
    track.kind = "subtitles";
    track.srclang = job.target_language;
    track.label = language(job.target_language);
    track.src = url;
    video.append(track);
  }
  const option = make("option", "", language(job.target_language));
  option.value = job.target_language;
  select.append(option);
  byId("subtitles-field").hidden = false;
  subtitle();
}

// Saves what an element's own link cannot ask for.
async function save(event) {
  const link = event.currentTarget;
  if (isOpen(link.getAttribute("href"))) return;
  event.preventDefault();
  try {
    const head = await fetch(link.getAttribute("href"), { method: "HEAD", headers: headers({}), cache: "no-store" });
    const there = head.ok && head.headers.get("content-location");
    if (there) {
      // What it leads to is an attachment, so the page stays.
      const stored = make("a");
      stored.href = there;
      stored.click();
      return;
    }
    const answer = await fetch(link.getAttribute("href"), { headers: headers({}), cache: "no-store" });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
    const name = /filename="([^"]*)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "video";
    const saved = make("a");
    saved.href = URL.createObjectURL(await answer.blob());
    saved.download = name;
    saved.click();
    URL.revokeObjectURL(saved.href);
  } catch (error) {
    link.dispatchEvent(new CustomEvent("unsaved", { bubbles: true, detail: error.message }));
  }
}

// A link that saves the output of a job.
export function saver(output, what) {
  const link = make("a", "button quiet", "Save");
  link.href = output;
  link.download = "";
  link.setAttribute("aria-label", `Save ${what}`);
  link.addEventListener("click", save);
  return link;
}

// Shows a job's output beside its original. `name` is what the video is called, and `button` has asked for it.
export async function play(job, name, button) {
  forget();
  shown = job.id;
  from = button;
  const upload = uploadOf(job);
  const into = language(job.target_language);
  byId("player-title").textContent = `${name} in ${into}`;
  byId("translated-name").textContent = into;
  byId("translated").setAttribute("aria-label", `The translation: ${into}`);
  byId("original-name").textContent = job.source_language ? `Original: ${language(job.source_language)}` : "Original";
  byId("save-field").replaceChildren();
  const player = byId("player");
  player.hidden = false;
  player.focus();
  player.scrollIntoView({ block: "nearest" });
  const output = await proved(outputOf(job));
  if (shown !== job.id) return;
  byId("save-field").replaceChildren(saver(output, "the translated video"));
  const original = upload ? load("original", `v1/uploads/${upload}/content`) : fault("original", "The original lies elsewhere.");
  await Promise.all([load("translated", output), original, subtitles(job, output)]);
}

// Makes the player work.
export function begin() {
  byId("close-player").addEventListener("click", close);
  byId("subtitles").addEventListener("change", subtitle);
  byId("player").addEventListener("keydown", (event) => event.key === "Escape" && !document.fullscreenElement && close());
  for (const video of videos()) {
    // Two voices at once are none.
    video.addEventListener("play", () => videos().forEach((other) => other !== video && other.pause()));
    video.addEventListener("error", () => {
      if (shown === null || !video.getAttribute("src")) return;
      fault(video.id, video.id === "original" ? "The original is not there any more, or this browser cannot play it." : "This browser cannot play it. Save it, and another program may.");
    });
  }
}
