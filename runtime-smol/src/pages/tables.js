// The tables of jobs and webhooks. What comes from outside is set as text, never as markup.

import { language, span } from "./words.js";

export const ENDED = new Set(["completed", "error", "canceled"]);

// A new element with this text, or with these elements, in it.
export function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

// A link where the text is one that may be followed; otherwise the text alone.
function link(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return make("span", "", text);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return make("span", "", text);
  const anchor = make("a", "", text);
  anchor.href = url.href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer nofollow";
  return anchor;
}

function time(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  const shown = today ? at.toLocaleTimeString() : at.toLocaleString();
  const element = make("time", "number", shown);
  element.dateTime = text;
  element.title = text;
  return element;
}

function badge(text, state) {
  const element = make("span", "badge", text);
  element.dataset.state = state;
  return element;
}

// A row whose cells are replaced only where what they show has changed: focus and selection stay.
class Row {
  constructor(labels) {
    this.element = make("tr");
    this.element.setAttribute("role", "row");
    this.shown = [];
    this.cells = labels.map((label) => {
      const cell = make("td");
      cell.setAttribute("role", "cell");
      if (label) cell.dataset.label = label;
      this.element.append(cell);
      return cell;
    });
  }

  show(at, what, content) {
    const known = JSON.stringify(what);
    if (this.shown[at] === known) return;
    this.shown[at] = known;
    this.cells[at].replaceChildren(...content());
  }
}

// Rows by id, in the order of a list.
class Table {
  constructor(body, labels, draw) {
    this.body = body;
    this.labels = labels;
    this.draw = draw;
    this.rows = new Map();
  }

  show(items) {
    const ids = new Set(items.map((item) => item.id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    let before = this.body.firstElementChild;
    for (const item of items) {
      let row = this.rows.get(item.id);
      if (!row) {
        row = new Row(this.labels);
        this.rows.set(item.id, row);
      }
      this.draw(row, item);
      if (row.element === before) before = before.nextElementSibling;
      else this.body.insertBefore(row.element, before);
    }
  }
}

// A button that is named after what it is about.
function action(text, about, run) {
  const button = make("button", "quiet", text);
  button.type = "button";
  button.setAttribute("aria-label", about);
  button.addEventListener("click", () => run(button));
  return button;
}

// `film` says what is known of a job's video: its name, and where its output can be had here; `can` does what people ask for.
export function jobTable(body, film, can) {
  return new Table(body, ["", "Video", "Language", "Submitted", "Result", ""], (row, job) => {
    row.cells[1].className = row.cells[4].className = "url";
    row.cells[5].className = "done";
    drawStatus(row, job);
    const { name, output } = film(job);
    const into = language(job.target_language);
    row.show(1, [job.video_url, name, job.reference], () => {
      const video = name ? make("span", "", name) : link(job.video_url);
      return job.reference ? [video, make("small", "", job.reference)] : [video];
    });
    row.show(2, [job.source_language, job.target_language], () => [
      `${job.source_language ? `${language(job.source_language)} → ` : "→ "}${into}`,
    ]);
    const took = ENDED.has(job.status) ? Date.parse(job.updated_at) - Date.parse(job.created_at) : null;
    row.show(3, [job.created_at, took], () => {
      const parts = [time(job.created_at)];
      if (took !== null) parts.push(make("small", "number", `took ${span(Math.max(took, 0))}`));
      return parts;
    });
    const what = `${name || job.video_url} in ${into}`;
    row.show(4, [job.output_url, job.error, output, name], () => {
      if (output) {
        const watch = action("Watch", `Watch ${what}`, (button) => can.watch(job, button));
        return [make("span", "actions", watch, can.save(output, what))];
      }
      if (job.output_url) return [link(job.output_url)];
      return job.error ? [make("span", "fault", job.error)] : [];
    });
    row.show(5, [job.status === "completed", ENDED.has(job.status), name], () => {
      if (job.status === "completed") return [];
      if (ENDED.has(job.status)) return [action("Try again", `Try again: ${what}`, (button) => can.retry(job, button))];
      return [action("Cancel", `Cancel the translation of ${what}`, (button) => can.cancel(job.id, button))];
    });
  });
}

// The bar moves in place, so that it is one thing to whoever listens to the page.
function drawStatus(row, job) {
  const running = job.status === "processing";
  row.show(0, [job.status], () => {
    const parts = [badge(job.status, job.status)];
    if (running) {
      row.bar = make("progress");
      row.bar.max = 100;
      row.bar.setAttribute("aria-label", "Progress");
      row.percent = make("small", "number");
      parts.push(row.bar, row.percent);
    }
    return parts;
  });
  if (running) {
    row.bar.value = job.progress;
    row.percent.textContent = `${job.progress} %`;
  }
}

export function hookTable(body, enable) {
  return new Table(body, ["", "URL", "Events", "Newest attempt", ""], (row, hook) => {
    row.cells[4].className = "done";
    row.show(0, [hook.enabled, hook.disabled_reason, hook.paused_until, hook.attempt?.error], () => {
      if (!hook.enabled) return [badge("disabled", "bad"), make("small", "", hook.disabled_reason ?? "")];
      if (hook.paused_until) {
        return [badge("paused", "wait"), make("small", "", "until ", time(hook.paused_until), `: ${hook.paused_reason}`)];
      }
      return [hook.attempt?.error ? badge("failing", "wait") : badge("enabled", "good")];
    });
    row.cells[1].className = "url";
    row.show(1, [hook.url, hook.description], () => {
      const parts = [make("span", "", hook.url)];
      if (hook.description) parts.push(make("small", "", hook.description));
      return parts;
    });
    row.show(2, [hook.events, hook.job], () => {
      const parts = [hook.events.includes("*") ? "all" : hook.events.join(", ")];
      if (hook.job) parts.push(make("small", "", `of ${hook.job}`));
      return parts;
    });
    row.show(3, hook.attempt ?? null, () => drawAttempt(hook.attempt));
    const held = hook.enabled ? (hook.paused_until ? "Send now" : "") : "Enable";
    row.show(4, held, () => {
      if (!held) return [];
      return [action(held, `${held}: ${hook.url}`, (button) => enable(hook.id, button))];
    });
  });
}

function drawAttempt(attempt) {
  if (!attempt) return [make("span", "empty", "none yet")];
  const status = attempt.status ?? "no answer";
  const said = make("small", "", time(attempt.at), ` · ${attempt.type}`);
  const text = `${status} after ${span(attempt.duration_ms)}`;
  if (!attempt.error) return [make("span", "number", text), said];
  return [make("span", "fault", `${text}: ${attempt.error}`), said];
}
