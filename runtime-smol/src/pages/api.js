// Calls to the server: one at a time, and the stream of events.

const KEY = "dubhook-key";

// The key of this tab: kept until it is closed, and sent nowhere but to this server's API.
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => sessionStorage.setItem(KEY, text),
  forget: () => sessionStorage.removeItem(KEY),
};

// What the server refuses, as its problem document says it.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code;
    this.field = problem.field;
  }
}

// These fields, and the key where there is one.
export function headers(more) {
  const given = key.get();
  return given ? { ...more, authorization: `Bearer ${given}` } : more;
}

async function answer(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Refused(response.status, problem);
}

export async function get(path) {
  return answer(await fetch(path, { headers: headers({}), cache: "no-store" }));
}

export const post = (path, body, more = {}) => send("POST", path, body, more);
export const patch = (path, body) => send("PATCH", path, body, {});

async function send(method, path, body, more) {
  const init = { method, headers: headers(more), cache: "no-store" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["content-type"] = "application/json";
  }
  return answer(await fetch(path, init));
}

// The server's figures by name, labels included.
export async function figures() {
  const response = await fetch("metrics", { cache: "no-store" });
  if (!response.ok) throw new Refused(response.status, {});
  const found = new Map();
  for (const line of (await response.text()).split("\n")) {
    const at = line.lastIndexOf(" ");
    if (at > 0 && !line.startsWith("#")) found.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return found;
}

// Something that nobody else asks for twice by chance. randomUUID is for https and localhost only.
export function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Reads server-sent events after the one named `last`, until the stream ends. Calls `opened` once it is there, and
// `each` with the id, type and data of every event.
export async function events(last, signal, opened, each) {
  const more = { accept: "text/event-stream" };
  if (last) more["last-event-id"] = last;
  const response = await fetch("v1/events", { headers: headers(more), cache: "no-store", signal });
  if (!response.ok || !response.body) {
    await answer(response);
    throw new Refused(response.status, {});
  }
  opened();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let event = { id: "", type: "", data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const [, name, rest] = /^([^:]*):? ?(.*?)\r?$/.exec(line) ?? [];
      if (name === "id") event.id = rest;
      else if (name === "event") event.type = rest;
      else if (name === "data") event.data.push(rest);
      else if (line === "" || line === "\r") {
        if (event.data.length > 0 || event.type) each(event.id, event.type, event.data.join("\n"));
        event = { id: "", type: "", data: [] };
      }
    }
  }
}
