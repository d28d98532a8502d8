// Bytes that lie in an object store: they go there and come from there, and not through the server.

import { Refused, get } from "./api.js";

// Whether an upload's bytes are to be sent to an object store.
export const isElsewhere = (kept) => Boolean(kept.upload.part_bytes) || !kept.upload.url.startsWith("/");

// What of an upload is sent next that has come up to `at`: from where to where, to which URL, and with which fields. The URL says
// all that is to be proved, so no key goes with it.
export async function nextOf(kept, at) {
  const put = kept.upload;
  if (!put.part_bytes) return { method: "PUT", url: put.url, fields: put.headers, from: 0, to: kept.bytes };
  const number = Math.floor(at / put.part_bytes);
  // A path of the server's; the page may lie below another one.
  const part = await get(put.url.slice(1).replace("{number}", number + 1));
  const from = number * put.part_bytes;
  return { method: "PUT", url: part.url, fields: part.headers, from, to: from + part.bytes };
}

// What is said where the store takes nothing, though the server answers. A browser tells no page why.
export function untaken(status) {
  const why =
    status === 0
      ? "This browser does not reach the object store in which this server keeps videos, or the store does not let this page send to it (CORS). Whoever runs the server can change that; dubhook translate can send the video."
      : `The object store in which this server keeps videos does not take this one: it answers ${status}.`;
  return new Refused(status, { code: "store_refused", detail: why });
}
