// A file on its way: to the server in pieces after tus 1.0, each of which is on its disk when it is answered, or to an object store.

import { Refused, get, headers, post } from "./api.js";
import { isElsewhere, nextOf, untaken } from "./store.js";

const UPLOADS = "v1/uploads";
const PIECE_BYTES = 8 * 1024 * 1024;
// How long to wait after a break, at first and at most, in milliseconds.
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;
// Over how long the rate is taken, in milliseconds.
const RATE_MS = 6_000;
const NAME_BYTES_MAX = 255;
// How often in turn an object store may fail to take what the server says it does.
const STORE_TRIES = 3;

// What this tab has begun to send, so that it goes on after the page was loaded anew.
const place = (file) => `dubhook-upload ${file.size} ${file.lastModified} ${file.name}`;

function nameOf(file) {
  let name = file.name;
  while (new TextEncoder().encode(name).length > NAME_BYTES_MAX) name = name.slice(0, -1);
  return name;
}

async function begun(file) {
  const id = sessionStorage.getItem(place(file));
  if (!id) return null;
  try {
    const kept = await get(`${UPLOADS}/${id}`);
    return kept.bytes === file.size ? kept : null;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

async function announce(file) {
  const request = { bytes: file.size, filename: nameOf(file) };
  if (/^[\w.+-]+\/[\w.+-]+$/.test(file.type)) request.content_type = file.type;
  const kept = await post(UPLOADS, request);
  sessionStorage.setItem(place(file), kept.id);
  return kept;
}

// How fast it goes, and how long it takes yet.
class Rate {
  constructor(at) {
    this.seen = [[performance.now(), at]];
  }

  take(at, bytes) {
    const now = performance.now();
    this.seen.push([now, at]);
    while (this.seen.length > 2 && now - this.seen[0][0] > RATE_MS) this.seen.shift();
    const [since, from] = this.seen[0];
    const perSecond = now > since ? ((at - from) * 1_000) / (now - since) : 0;
    return { at, bytes, perSecond, left: perSecond > 0 ? (bytes - at) / perSecond : null };
  }
}

// What of the file is sent next to the server.
function nextHere(kept, at) {
  const fields = headers({
    "tus-resumable": "1.0.0",
    "upload-offset": String(at),
    "content-type": "application/offset+octet-stream",
  });
  return { method: "PATCH", url: `${UPLOADS}/${kept.id}`, fields, from: at, to: Math.min(at + PIECE_BYTES, kept.bytes) };
}

// Sends what comes after `at`. Resolves to the status and the text of the answer, and up to where it was; no status where the
// connection broke.
async function piece(kept, file, at, signal, each) {
  let next = null;
  try {
    next = isElsewhere(kept) ? await nextOf(kept, at) : nextHere(kept, at);
  } catch (error) {
    if (error instanceof Refused && error.status < 500) throw error;
    return { status: 0, text: "", to: at };
  }
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const end = () => {
      signal.removeEventListener("abort", stop);
      resolve({ status: request.status, text: request.responseText, to: next.to });
    };
    const stop = () => request.abort();
    request.open(next.method, next.url);
    for (const [name, value] of Object.entries(next.fields)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => each(next.from + event.loaded));
    for (const kind of ["load", "error", "abort", "timeout"]) request.addEventListener(kind, end);
    signal.addEventListener("abort", stop);
    request.send(file.slice(next.from, next.to));
  });
}

function refused(status, text) {
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // It is no problem document; the status says enough.
  }
  return new Refused(status, problem);
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// Sends a file, all of it or what is not there yet; the upload, or null where `signal` stopped it. Calls `moved` with how far it
// is, and `broken` with the seconds until it goes on where the connection broke.
export async function send(file, signal, moved, broken) {
  let kept = (await begun(file)) ?? (await announce(file));
  const rate = new Rate(kept.received);
  let at = kept.received;
  let wait = RETRY_MS;
  let vain = 0;
  while (at < file.size) {
    moved(rate.take(at, file.size));
    const said = await piece(kept, file, at, signal, (now) => moved(rate.take(now, file.size)));
    if (signal.aborted) return null;
    const isHere = !isElsewhere(kept);
    const isTaken = said.status >= 200 && said.status < 300;
    if (isHere && isTaken) {
      at = said.to;
      wait = RETRY_MS;
      continue;
    }
    // Somebody who fills it as well, or a server that is away for a while, is waited for; anything else is an answer.
    if (isHere && ![0, 409, 502, 503, 504].includes(said.status)) {
      if (said.status === 404) sessionStorage.removeItem(place(file));
      throw refused(said.status, said.text);
    }
    if (!isTaken) {
      broken(wait / 1_000);
      await pause(wait, signal);
      if (signal.aborted) return null;
      wait = Math.min(wait * 2, RETRY_MS_MAX);
    }
    try {
      // What a store has, and the next URL for it, which is good for a time, the server says.
      kept = await get(`${UPLOADS}/${kept.id}`);
      const grows = kept.received > at;
      at = kept.received;
      vain = isHere || grows ? 0 : vain + 1;
      if (grows) wait = RETRY_MS;
    } catch (error) {
      if (error instanceof Refused && error.status < 500) throw error;
    }
    if (vain >= STORE_TRIES) throw untaken(said.status);
  }
  sessionStorage.removeItem(place(file));
  return kept;
}

// Whether the server keeps videos.
export async function keepsVideos() {
  try {
    await get(`${UPLOADS}?limit=1`);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return false;
    throw error;
  }
}

// What the file of an upload is called; nothing where it is gone.
export async function filename(id) {
  try {
    return (await get(`${UPLOADS}/${id}`)).filename ?? "";
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return "";
    throw error;
  }
}
