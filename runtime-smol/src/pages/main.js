// The page: what is shown, what is asked for, and how it stays true.

import { Refused, events, figures, get, key, patch, post } from "./api.js";
import * as form from "./form.js";
import * as player from "./player.js";
import { ENDED, hookTable, jobTable } from "./tables.js";
import { filename, keepsVideos } from "./upload.js";
import { language } from "./words.js";

const JOBS = "v1/translations";
const HOOKS_SHOWN = 20;
// How many jobs are kept on the page, and how many more with each look at older ones.
const JOBS_KEPT = 200;
const PAGE_JOBS = 20;
// How long to wait before asking again where nothing says by itself that something is new, in milliseconds.
const POLL_MS = 2_000;
const FIGURES_MS = 3_000;
// How soon after an event the figures are read, once for all that come until then.
const FIGURES_SOON_MS = 250;
const HOOKS_MS = 10_000;
// How long to wait for the stream, at first and at most; and where this server has none.
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;
const NO_STREAM_MS = 60_000;

const byId = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const jobs = new Map();
const own = new Set();
const jobRows = jobTable(byId("job-rows"), film, { cancel, retry, save: player.saver, watch });
const hookRows = hookTable(byId("hook-rows"), enable);
// What uploads are called, by their ids; nothing where that is still asked for.
const films = new Map();
let keeps = false;
let cursor = null;
let kept = JOBS_KEPT;
let isFollowed = false;
let last = "";
let figuresSoon = null;

// ---- What is shown

function show(id, state, text) {
  const element = byId(id);
  element.dataset.state = state;
  element.textContent = text;
}

function say(text) {
  byId("said").textContent = text;
}

function lock(fault) {
  byId("key-fault").textContent = fault;
  const locked = byId("locked");
  if (!locked.hidden) return;
  locked.hidden = false;
  show("live", "wait", "Locked");
  byId("key").focus();
}

// What is known of a job's video: what its file is called, and where its output can be had here.
function film(job) {
  const upload = player.uploadOf(job);
  if (!upload) return { name: "", output: keeps ? player.outputOf(job) : "" };
  if (!films.has(upload)) {
    films.set(upload, "");
    filename(upload)
      .then((name) => films.set(upload, name || "An upload that is gone"))
      .then(draw)
      .catch((error) => {
        films.delete(upload);
        blame(error);
      });
  }
  return { name: films.get(upload) || "An upload", output: player.outputOf(job) };
}

// Newest first: ids sort in the order in which jobs were accepted.
function draw() {
  const shown = [...jobs.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  for (const job of shown.splice(kept)) {
    jobs.delete(job.id);
    cursor = shown.at(-1).id;
  }
  jobRows.show(shown);
  byId("no-jobs").hidden = shown.length > 0;
  byId("older").hidden = !cursor;
}

// Takes in a job as it was at some time; what is known to be newer stays.
function take(job) {
  const known = jobs.get(job.id);
  if (known && known.sequence >= job.sequence) return;
  jobs.set(job.id, job);
  if (own.has(job.id) && ENDED.has(job.status)) {
    own.delete(job.id);
    say(`The translation of ${film(job).name || job.video_url} into ${language(job.target_language)}: ${job.status}.`);
  }
}

// ---- What is read

// Reads the newest jobs. Those that should be among them and are not are gone.
async function readJobs() {
  const page = await get(`${JOBS}?limit=${PAGE_JOBS}`);
  if (!isFollowed) show("live", "off", "Asking every 2 s");
  const ids = new Set(page.data.map((job) => job.id));
  const oldest = page.next_cursor ? page.data.at(-1).created_at : "";
  for (const job of jobs.values()) {
    if (job.created_at > oldest && !ids.has(job.id)) jobs.delete(job.id);
  }
  page.data.forEach(take);
  if (jobs.size === page.data.length) cursor = page.next_cursor;
  const left = [...jobs.values()].filter((job) => !ids.has(job.id) && !ENDED.has(job.status));
  for (const job of left.slice(0, 5)) take(await get(`${JOBS}/${job.id}`));
  draw();
}

// Whether videos can be handed in here.
async function readKeeps() {
  keeps = await keepsVideos();
  form.takesFiles(keeps);
  draw();
}

async function readHooks() {
  const page = await get(`v1/webhooks?limit=${HOOKS_SHOWN}`);
  for (const hook of page.data) {
    // It may have gone meanwhile.
    const attempts = await get(`v1/webhooks/${hook.id}/attempts`).catch(() => ({ data: [] }));
    hook.attempt = attempts.data[0];
  }
  hookRows.show(page.data);
  byId("no-hooks").hidden = page.data.length > 0;
  byId("more-hooks").hidden = !page.next_cursor;
}

// Who has the records, where several servers share them.
function showOwner(found) {
  const owns = found.get("dubhook_store_owner");
  byId("records").hidden = owns === undefined;
  if (owns === undefined) return;
  const epoch = found.get("dubhook_store_epoch");
  if (found.get("dubhook_store_stuck_seconds") > 0) show("records", "bad", "The database takes nothing");
  else if (found.get("dubhook_store_up") === 0) show("records", "bad", "The database is away");
  else show("records", owns ? "good" : "wait", owns ? `Owns the records, as number ${epoch}` : "Stands by");
}

async function readFigures() {
  try {
    const found = await figures();
    const put = (id, name) => {
      byId(`figure-${id}`).textContent = (found.get(`dubhook_${name}`) ?? 0).toLocaleString();
    };
    put("processing", "jobs_processing");
    put("completed", 'jobs_ended_total{status="completed"}');
    put("errors", 'jobs_ended_total{status="error"}');
    put("delivered", 'deliveries_ended_total{outcome="delivered"}');
    put("owed", "deliveries_owed");
    put("dead", "dead_letters");
    showOwner(found);
    const stops = found.get("dubhook_stopping") === 1;
    show("health", stops ? "wait" : "good", stops ? "Stopping" : "Ready");
    const version = [...found.keys()].find((name) => name.startsWith("dubhook_build_info"));
    byId("version").textContent = version ? ` · Dubhook ${/"(.*)"/.exec(version)[1]}` : "";
  } catch {
    show("health", "bad", "Not reachable");
    show("live", "wait", "Not connected");
  }
}

// ---- How it stays true

// Does something again and again while the page is looked at, and asks for the key where one is needed.
async function repeat(ms, what, unless = () => !byId("locked").hidden) {
  for (;;) {
    if (!document.hidden && !unless()) await what().catch(blame);
    await pause(ms);
  }
}

function blame(error) {
  if (error instanceof Refused && error.status === 401) lock(key.get() ? "The server does not know this key." : "");
}

function seen(id, type, data) {
  if (id) last = id;
  if (type === "stream.gap") {
    readJobs().catch(blame);
  } else if (type.startsWith("translation.")) {
    take(JSON.parse(data).data);
    draw();
    figuresSoon ??= setTimeout(() => {
      figuresSoon = null;
      readFigures();
    }, FIGURES_SOON_MS);
  }
}

// Follows the stream. A browser has few connections to one server, so a page that nobody looks at gives its own back.
async function follow() {
  let wait = RETRY_MS;
  for (;;) {
    if (document.hidden || !byId("locked").hidden) {
      await pause(200);
      continue;
    }
    const abort = new AbortController();
    const hide = () => document.hidden && abort.abort();
    document.addEventListener("visibilitychange", hide);
    try {
      await events(last, abort.signal, () => {
        isFollowed = true;
        wait = RETRY_MS;
        show("live", "good", "Live");
        readJobs().catch(blame);
      }, seen);
    } catch (error) {
      blame(error);
      if (error instanceof Refused && error.status !== 401) wait = NO_STREAM_MS;
    }
    document.removeEventListener("visibilitychange", hide);
    isFollowed = false;
    if (abort.signal.aborted) continue;
    await pause(wait);
    wait = Math.min(wait * 2, RETRY_MS_MAX);
  }
}

// ---- What people do

async function cancel(id, button) {
  if (!confirm("Cancel this translation? It cannot be taken up again.")) return;
  button.disabled = true;
  try {
    take(await post(`${JOBS}/${id}/cancel`));
    say("Canceled.");
  } catch (error) {
    blame(error);
    say(error.message);
    button.disabled = false;
    await readJobs().catch(blame);
  }
  draw();
}

async function watch(job, button) {
  await player.play(job, film(job).name || job.video_url, button).catch((error) => say(error.message));
}

// Enabling a webhook ends its pause as well.
async function enable(id, button) {
  button.disabled = true;
  try {
    await patch(`v1/webhooks/${id}`, { enabled: true });
    say("What the webhook is owed goes out.");
  } catch (error) {
    blame(error);
    say(error.message);
  }
  button.disabled = false;
  await readHooks().catch(blame);
}

// Asks anew for what failed or was called off.
async function retry(job, button) {
  button.disabled = true;
  try {
    taken(await form.again(job));
    say("Submitted again.");
  } catch (error) {
    blame(error);
    say(error.message);
  }
  button.disabled = false;
}

function taken(job) {
  own.add(job.id);
  take(job);
  draw();
}

async function unlock(event) {
  event.preventDefault();
  key.set(byId("key").value);
  try {
    await readJobs();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) key.forget();
    byId("key-fault").textContent = error instanceof Refused ? "The server does not know this key." : "The server cannot be reached. Try again.";
    return;
  }
  byId("key").value = "";
  byId("locked").hidden = true;
  byId("forget").hidden = false;
  readHooks().catch(blame);
  readKeeps().catch(blame);
}

function forget() {
  key.forget();
  location.reload();
}

async function older() {
  const button = byId("older");
  button.disabled = true;
  try {
    const page = await get(`${JOBS}?limit=${PAGE_JOBS}&cursor=${encodeURIComponent(cursor)}`);
    kept += PAGE_JOBS;
    page.data.forEach(take);
    cursor = page.next_cursor;
  } catch (error) {
    blame(error);
    // What it was to come after is gone.
    cursor = null;
  }
  button.disabled = false;
  draw();
}

form.begin({ taken, blame, say });
player.begin();
byId("job-rows").addEventListener("unsaved", (event) => say(event.detail));
byId("key-form").addEventListener("submit", unlock);
byId("forget").addEventListener("click", forget);
byId("older").addEventListener("click", older);
byId("forget").hidden = !key.get();

readKeeps().catch(blame);
// The figures need no key.
repeat(FIGURES_MS, readFigures, () => false);
repeat(POLL_MS, readJobs, () => isFollowed || !byId("locked").hidden);
repeat(HOOKS_MS, readHooks);
follow();
