// How languages, sizes and times are said.

const names = (() => {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" });
  } catch {
    return { of: (tag) => tag };
  }
})();

// Languages that people may want, by their tags.
export const TAGS = (
  "af am ar az be bg bn bs ca cs cy da de el en es es-419 et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja ka kk km kn ko " +
  "lt lv mk ml mn mr ms my nb ne nl pa pl pt pt-BR ro ru si sk sl sq sr sv sw ta te th tr uk ur uz vi yue zh-Hans zh-Hant zu"
).split(" ");

// The English name of a language; its tag where it has none.
export function language(tag) {
  try {
    return names.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

// The tag of a language that somebody wrote, by its name or as a tag; nothing where it is none.
export function tagOf(text) {
  const wanted = text.trim().toLowerCase();
  const known = TAGS.find((tag) => tag.toLowerCase() === wanted || language(tag).toLowerCase() === wanted);
  if (known) return known;
  const isTag = /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/.test(wanted);
  return isTag ? text.trim() : "";
}

// How long something took, in milliseconds, as people say it.
export function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// So many bytes.
export function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at > 0 && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}
