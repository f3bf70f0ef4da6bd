import assert from "node:assert/strict";
import { test } from "node:test";

const { Outbox, newKey, sendRead } = await import(`${process.env.HILUM_STATIC}/outbox.js`);

// As Promise.withResolvers, which Node before 22 lacks.
function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

// The interface of store.js over a map; the browser's own database is tried in tests/e2e.
class Store {
  kept = new Map();
  all = async () => [...this.kept.values()];
  put = async (entry) => this.kept.set(entry.key, entry);
  remove = async (key) => this.kept.delete(key);
}

const entry = (key, keptAt = 1) => ({ key, keptAt, url: "/v1/studies/1/reads", body: { labels: { Mass: 1 } } });
const outcomes = (...kinds) => async () => ({ kind: kinds.length > 1 ? kinds.shift() : kinds[0], detail: "why" });

test("a read is forgotten only after it was acknowledged", async () => {
  const outbox = new Outbox(new Store(), outcomes("away", "saved"));
  await outbox.keep(entry("a"));
  await outbox.flush();
  assert.equal((await outbox.entries()).length, 1);
  assert.deepEqual((await outbox.flush()).map((e) => e.key), ["a"]);
  assert.equal((await outbox.entries()).length, 0);
});

test("a refused read is kept with its reason and not sent again", async () => {
  let sent = 0;
  const outbox = new Outbox(new Store(), async () => {
    sent += 1;
    return { kind: "refused", detail: "no such finding" };
  });
  await outbox.keep(entry("a"));
  await outbox.flush();
  await outbox.flush();
  assert.equal(sent, 1);
  assert.equal((await outbox.entries())[0].refused, "no such finding");
});

test("reads go out oldest first and stop while the server is away", async () => {
  const order = [];
  const outbox = new Outbox(new Store(), async (e) => {
    order.push(e.key);
    return { kind: e.key === "b" ? "away" : "saved", detail: "" };
  });
  for (const [key, at] of [["c", 3], ["a", 1], ["b", 2]]) await outbox.keep(entry(key, at));
  await outbox.flush();
  assert.deepEqual(order, ["a", "b"]);
  assert.deepEqual((await outbox.entries()).map((e) => e.key), ["b", "c"]);
});

test("two deliveries of one read at once are one request", async () => {
  let sent = 0;
  const outbox = new Outbox(new Store(), async () => {
    sent += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
    return { kind: "saved", detail: "" };
  });
  const one = entry("a");
  await outbox.keep(one);
  await Promise.all([outbox.deliver(one), outbox.deliver(one), outbox.flush()]);
  assert.equal(sent, 1);
});

test("a read is sent while the browser writes it down, and forgotten after both", async () => {
  const order = [];
  const write = withResolvers();
  const store = new Store();
  store.put = async (entry) => {
    order.push("keeping");
    await write.promise;
    store.kept.set(entry.key, entry);
    order.push("kept");
  };
  store.remove = async (key) => {
    order.push("forgotten");
    store.kept.delete(key);
  };
  const outbox = new Outbox(store, async () => {
    order.push("sent");
    return { kind: "saved", detail: "", type: "" };
  });
  const { kept, said } = outbox.begin(entry("a"));
  // The next study may be shown on the server's word alone, however slow this browser's disk is.
  assert.equal((await said).kind, "saved");
  assert.deepEqual(order, ["keeping", "sent"]);
  const again = outbox.deliver(entry("a"));
  write.resolve();
  assert.equal(await kept, true);
  assert.equal((await again).kind, "saved");
  assert.deepEqual(order, ["keeping", "sent", "kept", "forgotten"]);
  assert.deepEqual(await outbox.entries(), []);
});

test("a page that goes before it has forgotten a saved read leaves it to the next one, which sends the same key", async () => {
  const store = new Store();
  const keys = [];
  const send = async ({ key }) => {
    keys.push(key);
    return { kind: "saved", detail: "", type: "" };
  };
  const gone = new Outbox({ ...store, all: store.all, put: store.put, remove: () => new Promise(() => {}) }, send);
  assert.equal((await gone.begin(entry("a")).said).kind, "saved");
  const next = new Outbox(store, send);
  assert.deepEqual((await next.flush()).map((e) => e.key), ["a"]);
  assert.deepEqual(keys, ["a", "a"]);
  assert.deepEqual(await next.entries(), []);
});

test("a read that the server does not answer is kept once it is written down", async () => {
  const outbox = new Outbox(new Store(), outcomes("away"));
  const { kept, said } = outbox.begin(entry("a"));
  assert.equal((await said).kind, "away");
  assert.equal(await kept, true);
  assert.deepEqual((await outbox.entries()).map((e) => e.key), ["a"]);
});

test("a browser without a database still sends a read", async () => {
  const broken = async () => {
    throw new Error("no storage");
  };
  const outbox = new Outbox({ all: broken, put: broken, remove: broken }, outcomes("saved"));
  assert.deepEqual(await outbox.entries(), []);
  assert.equal((await outbox.deliver(entry("a"))).kind, "saved");
  const { kept, said } = outbox.begin(entry("b"));
  assert.equal((await said).kind, "saved");
  assert.equal(await kept, false);
});

test("nobody signed in stops the line, another person's read does not", async () => {
  const order = [];
  const said = { a: "other", b: "signin" };
  const outbox = new Outbox(new Store(), async (e) => {
    order.push(e.key);
    return { kind: said[e.key] ?? "saved", detail: "", type: "" };
  });
  for (const [key, at] of [["a", 1], ["b", 2], ["c", 3]]) await outbox.keep(entry(key, at));
  await outbox.flush();
  assert.deepEqual(order, ["a", "b"]);
  assert.deepEqual((await outbox.entries()).map((e) => e.key), ["a", "b", "c"]);
});

test("answers of the server are told apart", async () => {
  const answer = (status, body) => async () => new Response(JSON.stringify(body), { status });
  const kind = async (fetch) => (await sendRead(entry("a"), fetch)).kind;
  for (const status of [200, 201]) assert.equal(await kind(answer(status, { read: { id: "a" } })), "saved");
  // A login page, a proxy's page or another read's answer is no acknowledgement.
  assert.equal(await kind(answer(200, { read: { id: "b" } })), "away");
  assert.equal(await kind(async () => new Response("<html>sign in</html>", { status: 200 })), "away");
  assert.equal(await kind(answer(401, {})), "signin");
  assert.equal(await kind(async () => new Response("<html>", { status: 403 })), "signin");
  assert.equal(await kind(answer(403, { type: "urn:hilum:problem:another-reader" })), "other");
  assert.equal(await kind(answer(403, { type: "urn:hilum:problem:lead-needed" })), "refused");
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
