// Reads that wait in this browser until the server has acknowledged them. A read is kept here while it is first sent,
// called saved only by the server's acknowledgement and kept only once it is on disk here, and forgotten after the
// acknowledgement alone; the idempotency key makes sending twice harmless.

export function newKey(crypto = globalThis.crypto) {
  if (crypto.randomUUID) return crypto.randomUUID();
  // randomUUID exists in secure contexts only; these are the same 122 random bits (RFC 9562, version 4).
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

const LATER = new Set([408, 425, 429]);
const SIGN_IN = "Your session is over. Your read is kept in this browser; sign in again and it is sent.";

// "saved", "away" (try again later), "signin" (somebody must sign in first), "other" (it is another person's read) or
// "refused" (sending again cannot help), with a sentence for the reader and the problem's type.
export async function sendRead(entry, fetch = globalThis.fetch.bind(globalThis)) {
  let answer;
  try {
    answer = await fetch(entry.url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Idempotency-Key": entry.key,
        "Hilum-Reader": encodeURIComponent(entry.reader ?? ""),
      },
      body: JSON.stringify(entry.body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    return { kind: "away", detail: "The server does not answer.", type: "" };
  }
  const body = await answer.json().catch(() => null);
  // A login page or a proxy's page is no acknowledgement, whatever its status.
  if (answer.ok && body?.read?.id === entry.key) return { kind: "saved", detail: "", type: "", read: body.read };
  const type = String(body?.type ?? "").replace(/^urn:hilum:problem:/, "");
  const detail = body?.detail ?? `The server answered ${answer.status}.`;
  if (type === "another-reader") return { kind: "other", detail, type };
  if (answer.ok) return { kind: answer.redirected ? "signin" : "away", detail: answer.redirected ? SIGN_IN : detail, type };
  if (answer.status === 401 || answer.status === 403 && (!body || type === "signed-out" || type.startsWith("csrf")))
    return { kind: "signin", detail: SIGN_IN, type };
  return { kind: answer.status >= 500 || LATER.has(answer.status) ? "away" : "refused", detail, type };
}

// `store` has all(), put(entry) and remove(key), each a promise: static/store.js.
export class Outbox {
  constructor(store, send = sendRead) {
    this.store = store;
    this.send = send;
    this.sending = new Map();
  }

  // Oldest first; nothing where the browser keeps no database.
  async entries() {
    const found = await this.store.all().catch(() => []);
    return found.sort((a, b) => a.keptAt - b.keptAt);
  }

  keep(entry) {
    return this.store.put(entry);
  }

  forget(key) {
    return this.store.remove(key);
  }

  // A read that is made on this page: kept here and sent side by side. `kept` says whether this browser holds it, `said`
  // what the server answers. Whoever hears "saved" need not wait until the browser has forgotten it: a page that goes
  // meanwhile leaves it here, and the next one sends it once more, under the same key.
  begin(entry) {
    const kept = this.keep(entry).then(() => true, () => false);
    const said = this.send(entry);
    // Forgotten, or marked as refused, never before it is kept: it would come back after that.
    const done = Promise.all([said, kept]).then(([outcome]) => this.settle(entry, outcome));
    this.sending.set(entry.key, done.finally(() => this.sending.delete(entry.key)));
    return { kept, said };
  }

  async settle(entry, outcome) {
    // A browser without a database has nothing to forget; what was said of the read stands all the same.
    if (outcome.kind === "saved") await this.forget(entry.key).catch(() => {});
    if (outcome.kind === "refused") await this.keep({ ...entry, refused: outcome.detail, why: outcome.type }).catch(() => {});
    return outcome;
  }

  // Send one entry; two calls at once for the same entry are one request.
  deliver(entry) {
    const running = this.sending.get(entry.key);
    if (running) return running;
    const promise = this.send(entry)
      .then((outcome) => this.settle(entry, outcome))
      .finally(() => this.sending.delete(entry.key));
    this.sending.set(entry.key, promise);
    return promise;
  }

  // Send all that waits, in order; stop at the first sign that the server is away or nobody is signed in.
  async flush() {
    const saved = [];
    for (const entry of await this.entries()) {
      if (entry.refused) continue;
      const outcome = await this.deliver(entry);
      if (outcome.kind === "away" || outcome.kind === "signin") break;
      if (outcome.kind === "saved") saved.push(entry);
    }
    return saved;
  }
}
