import assert from "node:assert/strict";
import { test } from "node:test";

const from = (name) => import(`${process.env.HILUM_STATIC}/${name}.js`);
const { difference, inUse, inWords } = await from("arrivals");
const { calmly } = await from("listen");
const { choose } = await from("next");
const { due, waits } = await from("format");
const { hear, now, wrongBySeconds } = await from("server-clock");

const rows = (text) => text.split(" ").filter(Boolean).map((word) => ({ key: word[0], band: word[1] === "!" ? "critical" : "routine" }));

test("what is new is counted, and what of it is critical", () => {
  const change = difference(rows("a b c"), rows("x! a y b c"), false);
  assert.deepEqual([change.added, change.gone, change.critical, change.moved], [["x", "y"], [], 1, 0]);
  assert.equal(inWords(change), "2 new, 1 critical");
});

test("a study that becomes critical is told though it is not new", () => {
  const change = difference(rows("a b c"), rows("c! a b"), false);
  assert.deepEqual([change.added, change.critical], [[], 1]);
  assert.equal(inWords(change), "1 critical");
});

test("what left the list is told from what was pushed over the end of the page", () => {
  assert.deepEqual(difference(rows("a b c d"), rows("x a c"), true).gone, ["b"]);
  assert.deepEqual(difference(rows("a b c d"), rows("x a c"), false).gone, ["b", "d"]);
  assert.deepEqual(difference(rows("a b"), rows("x y"), true).gone, ["a", "b"]);
});

test("nothing held back is said with nothing", () => {
  assert.equal(inWords(difference(rows("a b"), rows("a b"), false)), "");
  assert.equal(inWords(difference(rows("a b"), rows("b a"), false)), "The order changed");
});

test("a list that is left alone is nobody's place", () => {
  const here = { focused: true, hovered: false, scrolled: false, idleSeconds: 2 };
  assert.equal(inUse(here), true);
  assert.equal(inUse({ ...here, focused: false }), false);
  assert.equal(inUse({ ...here, idleSeconds: 61 }), false);
});

test("ten thousand changes in a moment are two looks at the list", () => {
  let clock = 0;
  let looks = 0;
  const timers = [];
  const changed = calmly(() => (looks += 1), 2000, (run, wait) => timers.push([clock + wait, run]), () => clock);
  for (let n = 0; n < 10_000; n += 1) {
    clock = n / 10;
    changed();
    while (timers.length && timers[0][0] <= clock) timers.shift()[1]();
  }
  clock = 5000;
  while (timers.length && timers[0][0] <= clock) timers.shift()[1]();
  assert.equal(looks, 2);
});

test("a study that another reads is not offered next, one's own is", () => {
  const list = [{ uid: "a", claim: { mine: false } }, { uid: "b", claim: { mine: true } }, { uid: "c", claim: null }];
  assert.equal(choose(list, "z", []).uid, "b");
  assert.equal(choose(list, "b", []).uid, "c");
  assert.equal(choose([list[0]], "z", []), null);
});

test("waiting and due times are said in words", () => {
  const now = new Date("2026-11-21T12:00:00Z");
  assert.equal(waits(new Date("2026-11-21T11:48:00Z"), now), "12 min");
  assert.equal(due(new Date("2026-11-21T11:48:00Z"), now), "overdue by 12 min");
});

test("a clock that is wrong is told from a slow answer, and from the moment it is right again", () => {
  const server = Date.parse("2026-11-21T12:00:00Z");
  const hour = 3_600_000;
  hear(server, server + hour);
  assert.equal(now(server + hour).getTime(), server);
  assert.equal(wrongBySeconds(), 3600);
  // Whole seconds in a header, and the answer's way: no reason to move every time on the page.
  hear(server, server + hour + 2_500);
  assert.equal(now(server + hour).getTime(), server);
  hear(Number.NaN, server);
  assert.equal(wrongBySeconds(), 3600);
  hear(server, server - 120_000);
  assert.equal(wrongBySeconds(), -120);
  hear(server, server + 400);
  assert.equal(now(server).getTime(), server);
  assert.equal(wrongBySeconds(), 0);
});
