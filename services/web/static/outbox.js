// Reads that wait in this browser until the server has acknowledged them. A read is kept before it is first sent, and
// forgotten only after the acknowledgement; the idempotency key makes sending twice harmless.

const SLOT = "hilum.outbox.";

export function newKey(crypto = globalThis.crypto) {
  if (crypto.randomUUID) return crypto.randomUUID();
  // randomUUID exists in secure contexts only; these are the same 122 random bits (RFC 9562, version 4).
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// "saved", "away" (try again later) or "refused" (sending again cannot help), with a sentence for the reader.
export async function sendRead(entry, fetch = globalThis.fetch.bind(globalThis)) {
  let answer;
  try {
    answer = await fetch(entry.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": entry.key },
      body: JSON.stringify(entry.body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    return { kind: "away", detail: "The server does not answer." };
  }
  if (answer.ok) return { kind: "saved", detail: "" };
  const problem = await answer.json().catch(() => ({}));
  const detail = problem.detail ?? `The server answered ${answer.status}.`;
  const later = answer.status >= 500 || answer.status === 408 || answer.status === 429;
  return { kind: later ? "away" : "refused", detail };
}

export class Outbox {
  constructor(storage, send = sendRead) {
    this.storage = storage;
    this.send = send;
    this.sending = new Map();
  }

  // Oldest first. A damaged slot is left alone, not thrown away.
  entries() {
    const found = [];
    for (let i = 0; i < this.storage.length; i += 1) {
      const name = this.storage.key(i);
      if (!name?.startsWith(SLOT)) continue;
      try {
        found.push(JSON.parse(this.storage.getItem(name)));
      } catch {
        console.warn(`unreadable entry ${name} in the outbox`);
      }
    }
    return found.sort((a, b) => a.keptAt - b.keptAt);
  }

  keep(entry) {
    this.storage.setItem(SLOT + entry.key, JSON.stringify(entry));
  }

  forget(key) {
    this.storage.removeItem(SLOT + key);
  }

  // Send one entry; two calls at once for the same entry are one request.
  deliver(entry) {
    const running = this.sending.get(entry.key);
    if (running) return running;
    const promise = this.send(entry)
      .then((outcome) => {
        if (outcome.kind === "saved") this.forget(entry.key);
        if (outcome.kind === "refused") this.keep({ ...entry, refused: outcome.detail });
        return outcome;
      })
      .finally(() => this.sending.delete(entry.key));
    this.sending.set(entry.key, promise);
    return promise;
  }

  // Send all that waits, in order; stop at the first sign that the server is away.
  async flush() {
    const saved = [];
    for (const entry of this.entries()) {
      if (entry.refused) continue;
      const outcome = await this.deliver(entry);
      if (outcome.kind === "away") break;
      if (outcome.kind === "saved") saved.push(entry);
    }
    return saved;
  }
}
