// Films' stored values: their form (hilum/imaging/frame.py), and a store that holds as many as memory allows.

const MAGIC = 0x464d4c48; // "HLMF"
// Enough for two of the largest films that are taken (50 million pixels of 16 bits); a day's films are 2 to 20 MB.
export const BUDGET_BYTES = 256 * 1024 * 1024;

export function parseFrame(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error("it is not a film's frame");
  const start = 8 + view.getUint32(4, true);
  if (start > buffer.byteLength) throw new Error("it ends early");
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  if (head.version !== 1) throw new Error("it is of a newer form; reload the page");
  const at = start + head.table_length;
  const count = head.width * head.height;
  if (at + count * head.bytes_per_value !== buffer.byteLength) throw new Error("it ends early");
  const table = new Uint8Array(buffer, start, head.table_length);
  const Values = head.bytes_per_value === 1 ? Uint8Array : Uint16Array;
  return { ...head, table, values: new Values(buffer, at, count), bytes: buffer.byteLength };
}

export async function fetchFrame(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server is away");
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => null);
    throw new Error(problem?.detail ?? `the server answered ${answer.status}`);
  }
  return parseFrame(await answer.arrayBuffer());
}

// Frames by address, least recently used first. What is pinned (on the stage) stays, whatever the budget.
export class FrameStore {
  constructor({ load = fetchFrame, budget = BUDGET_BYTES, onDrop = () => {} } = {}) {
    this.load = load;
    this.budget = budget;
    this.onDrop = onDrop;
    this.frames = new Map();
    this.waiting = new Map();
    this.pinned = new Set();
  }

  get bytes() {
    let total = 0;
    for (const frame of this.frames.values()) total += frame.bytes;
    return total;
  }

  // What is here already, and now the last to be dropped.
  peek(url) {
    const frame = this.frames.get(url);
    if (frame) {
      this.frames.delete(url);
      this.frames.set(url, frame);
    }
    return frame ?? null;
  }

  // One request per film, however many ask.
  async get(url) {
    const here = this.peek(url);
    if (here) return here;
    if (!this.waiting.has(url)) {
      this.waiting.set(
        url,
        this.load(url)
          .then((frame) => {
            this.frames.set(url, frame);
            this.trim();
            return frame;
          })
          .finally(() => this.waiting.delete(url)),
      );
    }
    return this.waiting.get(url);
  }

  pin(urls) {
    this.pinned = new Set(urls);
    this.trim();
  }

  trim() {
    for (const [url, frame] of this.frames) {
      if (this.bytes <= this.budget) return;
      if (this.pinned.has(url)) continue;
      this.frames.delete(url);
      this.onDrop(url, frame);
    }
  }
}
