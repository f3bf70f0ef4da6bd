import assert from "node:assert/strict";
import { test } from "node:test";

const { Outbox, newKey, sendRead } = await import(`${process.env.HILUM_STATIC}/outbox.js`);

// localStorage as browsers have it.
class Storage {
  slots = new Map();
  get length() {
    return this.slots.size;
  }
  key(n) {
    return [...this.slots.keys()][n] ?? null;
  }
  getItem(name) {
    return this.slots.get(name) ?? null;
  }
  setItem(name, value) {
    this.slots.set(name, value);
  }
  removeItem(name) {
    this.slots.delete(name);
  }
}

const entry = (key, keptAt = 1) => ({ key, keptAt, url: "/v1/studies/1/reads", body: { labels: { Mass: 1 } } });
const outcomes = (...kinds) => async () => ({ kind: kinds.length > 1 ? kinds.shift() : kinds[0], detail: "why" });

test("a read is forgotten only after it was acknowledged", async () => {
  const outbox = new Outbox(new Storage(), outcomes("away", "saved"));
  outbox.keep(entry("a"));
  await outbox.flush();
  assert.equal(outbox.entries().length, 1);
  assert.deepEqual((await outbox.flush()).map((e) => e.key), ["a"]);
  assert.equal(outbox.entries().length, 0);
});

test("a refused read is kept with its reason and not sent again", async () => {
  let sent = 0;
  const outbox = new Outbox(new Storage(), async () => {
    sent += 1;
    return { kind: "refused", detail: "no such finding" };
  });
  outbox.keep(entry("a"));
  await outbox.flush();
  await outbox.flush();
  assert.equal(sent, 1);
  assert.equal(outbox.entries()[0].refused, "no such finding");
});

test("reads go out oldest first and stop while the server is away", async () => {
  const order = [];
  const outbox = new Outbox(new Storage(), async (e) => {
    order.push(e.key);
    return { kind: e.key === "b" ? "away" : "saved", detail: "" };
  });
  for (const [key, at] of [["c", 3], ["a", 1], ["b", 2]]) outbox.keep(entry(key, at));
  await outbox.flush();
  assert.deepEqual(order, ["a", "b"]);
  assert.deepEqual(outbox.entries().map((e) => e.key), ["b", "c"]);
});

test("two deliveries of one read at once are one request", async () => {
  let sent = 0;
  const outbox = new Outbox(new Storage(), async () => {
    sent += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
    return { kind: "saved", detail: "" };
  });
  const one = entry("a");
  outbox.keep(one);
  await Promise.all([outbox.deliver(one), outbox.deliver(one), outbox.flush()]);
  assert.equal(sent, 1);
});

test("a damaged slot does not stop the others", async () => {
  const storage = new Storage();
  storage.setItem("hilum.outbox.x", "{broken");
  storage.setItem("another", "thing");
  const outbox = new Outbox(storage, outcomes("saved"));
  outbox.keep(entry("a"));
  assert.deepEqual(outbox.entries().map((e) => e.key), ["a"]);
  assert.equal(storage.getItem("hilum.outbox.x"), "{broken");
});

test("answers of the server are told apart", async () => {
  const answer = (status, body) => async () => new Response(JSON.stringify(body), { status });
  const kind = async (fetch) => (await sendRead(entry("a"), fetch)).kind;
  assert.equal(await kind(answer(201, {})), "saved");
  assert.equal(await kind(answer(200, {})), "saved");
  assert.equal(await kind(answer(422, { detail: "unknown finding" })), "refused");
  for (const status of [408, 429, 500, 502, 503]) assert.equal(await kind(answer(status, {})), "away");
  assert.equal(await kind(() => Promise.reject(new TypeError("network"))), "away");
  assert.equal((await sendRead(entry("a"), async () => new Response("<html>", { status: 404 }))).detail, "The server answered 404.");
});

test("a key is a version 4 UUID, in a secure context or not", () => {
  const plain = { getRandomValues: (array) => crypto.getRandomValues(array) };
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(newKey(plain), shape);
  assert.match(newKey(), shape);
  assert.notEqual(newKey(plain), newKey(plain));
});
