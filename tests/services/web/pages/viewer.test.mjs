// The viewer's arithmetic: where film pixels lie, which grey a value gets, what a length is, and what stays in memory.

import assert from "node:assert/strict";
import { test } from "node:test";

const from = (name) => import(`${process.env.HILUM_STATIC}/${name}.js`);
const { apply, extent, fitScale, inverse, kept, matrix, samplesFor, zoomed } = await from("geometry");
const { aspectOf, edges, lengthText } = await from("marks");
const { FrameStore, parseFrame } = await from("frame");
const { presetsOf, quantilesOf, tableOf, windowed } = await from("voi");
const { render } = await from("paint-cpu");
const { shortcutsOf } = await from("keys");
const { wanted } = await from("preload");
const { filmKeys } = await from("film-keys");

const film = { width: 100, height: 200, aspect: 1 };
const stage = { width: 400, height: 400 };
const near = (got, expected) => got.forEach((value, at) => assert.ok(Math.abs(value - expected[at]) < 1e-9, `${got} is not ${expected}`));

test("the whole film is on the stage, centred, in its own shape, turned or not", () => {
  assert.equal(fitScale(film, stage, 0), 2);
  const upright = matrix(film, stage, { scale: 2, x: 0, y: 0, turn: 0 });
  near(apply(upright, 0, 0), [100, 0]);
  near(apply(upright, 100, 200), [300, 400]);
  const turned = matrix(film, stage, { scale: 2, x: 0, y: 0, turn: 1 });
  near(apply(turned, 0, 0), [400, 100]);
  near(apply(turned, 0, 200), [0, 100]);
  assert.deepEqual(extent({ ...film, aspect: 2 }, 1), { width: 400, height: 100 });
});

test("four quarter turns lead back, and a matrix and its inverse are nothing", () => {
  for (const turn of [0, 1, 2, 3]) {
    const there = matrix(film, stage, { scale: 1.7, x: 12, y: -5, turn });
    near(apply(inverse(there), ...apply(there, 31, 77)), [31, 77]);
  }
});

test("pixels that are not square keep the film's true shape", () => {
  const stretched = matrix({ ...film, aspect: 0.5 }, stage, { scale: 2, x: 0, y: 0, turn: 0 });
  const [left, top] = apply(stretched, 0, 0);
  const [right, bottom] = apply(stretched, 100, 200);
  assert.equal((right - left) / (bottom - top), 1);
  assert.equal(aspectOf({ row_mm: 0.1, column_mm: 0.2 }), 0.5);
});

test("zooming keeps the spot under the pointer and stays within its limits", () => {
  const place = { scale: 2, x: -50, y: 10, turn: 0 };
  const after = zoomed(place, 1.5, 120, 80, stage, { least: 1, most: 20 });
  const spot = (at) => apply(inverse(matrix(film, stage, at, 1e9)), 120, 80);
  const [before, now] = [spot(place), spot(after)];
  assert.ok(Math.hypot(before[0] - now[0], before[1] - now[1]) < 1e-6);
  assert.equal(zoomed(place, 1e9, 0, 0, stage, { least: 1, most: 20 }).scale, 20);
});

test("a film can't be moved out of sight", () => {
  const far = kept(film, stage, { scale: 1, x: 9999, y: -9999, turn: 0 }, 60);
  assert.deepEqual([far.x, far.y], [190, -240]);
});

test("a reduced film is averaged, an enlarged one interpolated", () => {
  assert.deepEqual([0.3, 1, 1.5, 4, 40].map(samplesFor), [1, 1, 2, 4, 8]);
});

test("windows follow the standard's formulas", () => {
  const linear = { centre: 2048, width: 4096, function: "LINEAR" };
  assert.equal(windowed(0, linear), 0);
  assert.equal(windowed(4095, linear), 1);
  assert.equal(windowed(10, { centre: 10.2, width: 1, function: "LINEAR" }), 1);
  assert.equal(windowed(50, { centre: 50, width: 100, function: "LINEAR_EXACT" }), 0.5);
  assert.equal(windowed(50, { centre: 50, width: 100, function: "SIGMOID" }), 0.5);
});

function frame(changes = {}) {
  return {
    width: 2, height: 2, lowest: 0, slope: 1, intercept: 0, modality: null, inverted: false, padding: null,
    windows: [], window: { centre: 2, width: 4, function: "LINEAR_EXACT" },
    table: Uint8Array.of(0, 85, 170, 255), values: Uint16Array.of(0, 1, 2, 3), ...changes,
  };
}

test("without a window of the reader's the header's table shows; inversion turns it, padding stays black", () => {
  assert.deepEqual([...tableOf(frame(), null, false)], [0, 85, 170, 255]);
  assert.deepEqual([...tableOf(frame({ padding: [0, 0] }), null, true)], [0, 170, 85, 0]);
});

test("a window applies after the modality transform, and to a film with white as its lowest value the other way", () => {
  const window = { centre: 20, width: 20, function: "LINEAR_EXACT" };
  assert.deepEqual([...tableOf(frame({ slope: 10, intercept: 5 }), window, false)], [0, 64, 191, 255]);
  assert.deepEqual([...tableOf(frame({ slope: 10, intercept: 5, inverted: true }), window, false)], [255, 191, 64, 0]);
  assert.deepEqual([...tableOf(frame({ modality: [0, 10, 20, 30] }), window, false)], [0, 0, 128, 255]);
});

test("the lungs' window opens the dark pixels, whichever value is dark, and leaves borders and markers out", () => {
  const shares = Uint8Array.from({ length: 256 }, (_, at) => at);
  // Forty dark, forty bright, and as many again of collimator and marker.
  const pixels = [...Array(40).keys()].flatMap((n) => [40 + n, 160 + n, 0, 255]);
  const window = { centre: 127.5, width: 255, function: "LINEAR_EXACT" };
  const made = (changes) => frame({ table: shares, values: Uint8Array.from(pixels), window, ...changes });
  const named = (of, name) => presetsOf(of).find((preset) => preset.name === name).window;
  const film = made({});
  assert.deepEqual(quantilesOf(film, [0.5]), [79]);
  assert.ok(named(film, "Lungs").centre < named(film, "Mediastinum").centre);
  const negative = made({ inverted: true, table: shares.map((grey) => 255 - grey) });
  assert.ok(named(negative, "Lungs").centre > named(negative, "Mediastinum").centre);
  for (const of of [film, negative]) {
    const lungs = tableOf(of, named(of, "Lungs"), false);
    const dark = of === film ? [45, 75] : [195, 165];
    assert.ok(lungs[dark[1]] - lungs[dark[0]] > 30);
  }
  assert.equal(quantilesOf(made({ values: Uint8Array.of(0, 255) }), [0.5]), null);
});

test("the processor's picture is exact at one to one, interpolates above and averages below", () => {
  const grey = (out) => [...out].map((pixel) => pixel & 255);
  const of = frame();
  const exact = new Uint32Array(4);
  render(exact, 2, 2, of, of.table, [1, 0, 0, 1, 0, 0]);
  assert.deepEqual(grey(exact), [0, 85, 170, 255]);
  const whole = new Uint32Array(1);
  render(whole, 1, 1, of, of.table, [2, 0, 0, 2, 0, 0]);
  assert.deepEqual(grey(whole), [128]);
  const turned = new Uint32Array(4);
  render(turned, 2, 2, of, of.table, inverse(matrix({ ...of, aspect: 1 }, { width: 2, height: 2 }, { scale: 1, x: 0, y: 0, turn: 1 })));
  assert.deepEqual(grey(turned), [170, 0, 255, 85]);
});

test("the letters at the edges turn with the film, and a silent header gives none", () => {
  assert.deepEqual(edges(["L", "F"], 0), { top: "H", right: "L", bottom: "F", left: "R" });
  assert.deepEqual(edges(["L", "F"], 1), { top: "R", right: "H", bottom: "L", left: "F" });
  assert.deepEqual(edges(["P", "F"], 2), { top: "F", right: "A", bottom: "H", left: "P" });
  assert.deepEqual(edges(["LF", "FR"], 0).left, "RH");
  assert.equal(edges(null, 0), null);
});

test("a length says what it is worth", () => {
  const spacing = (kind) => ({ row_mm: 0.2, column_mm: 0.1, kind });
  assert.equal(lengthText([0, 0], [30, 20], spacing("calibrated")), "5.0 mm, calibrated");
  assert.equal(lengthText([0, 0], [0, 100], spacing("detector")), "20.0 mm at the detector (less in the patient)");
  assert.equal(lengthText([0, 0], [100, 0], spacing("unstated")), "10.0 mm, plane not stated");
  assert.equal(lengthText([0, 0], [30, 40], null), "50 px, uncalibrated");
});

test("a frame that ends early or is none is refused", () => {
  const head = JSON.stringify({ version: 1, width: 2, height: 1, bytes_per_value: 2, table_length: 4 }).padEnd(80);
  const bytes = new Uint8Array(8 + 80 + 4 + 4);
  bytes.set(new TextEncoder().encode("HLMF"));
  bytes[4] = 80;
  bytes.set(new TextEncoder().encode(head), 8);
  bytes.set([1, 2, 3, 4, 0x34, 0x12, 0xff, 0x00], 88);
  const made = parseFrame(bytes.buffer);
  assert.deepEqual([[...made.table], [...made.values]], [[1, 2, 3, 4], [0x1234, 0xff]]);
  assert.throws(() => parseFrame(bytes.slice(0, 90).buffer), /ends early/);
  assert.throws(() => parseFrame(new TextEncoder().encode("<html>something else</html>").buffer), /not a film's frame/);
  assert.throws(() => parseFrame(new ArrayBuffer(3)), /not a film's frame/);
});

test("many films stay within the budget: the longest unused goes, what is on the stage stays", async () => {
  const dropped = [];
  let asked = 0;
  const load = async () => {
    asked += 1;
    return { bytes: 40 };
  };
  const store = new FrameStore({ load, budget: 100, onDrop: (url) => dropped.push(url) });
  store.pin(["a"]);
  await Promise.all([store.get("a"), store.get("a")]);
  for (const url of ["b", "c", "d"]) await store.get(url);
  assert.equal(asked, 4);
  assert.deepEqual(dropped, ["b", "c"]);
  assert.deepEqual([...store.frames.keys()], ["a", "d"]);
  assert.ok(store.bytes <= 100);
});

test("a film that did not come is asked for again", async () => {
  let tries = 0;
  const load = async () => {
    tries += 1;
    if (tries === 1) throw new Error("the server is away");
    return { bytes: 1 };
  };
  const store = new FrameStore({ load });
  await assert.rejects(store.get("a"), /away/);
  assert.deepEqual(await store.get("a"), { bytes: 1 });
});

test("the help is made of the commands: keys of one meaning together, gestures too", () => {
  const commands = { j: { help: "Next" }, ArrowDown: { help: "Next" }, "=": { run() {} }, x: { help: "Skip" } };
  assert.deepEqual(shortcutsOf([[commands, [["drag", "Window"]]]]), [[["j", "↓"], "Next"], [["x"], "Skip"], [["drag"], "Window"]]);
});

test("each of the film's keys says what it does, but for twins and Enter, which the ruler's line explains", () => {
  const { keys } = filmKeys({});
  assert.deepEqual(Object.keys(keys).filter((key) => !keys[key].help), ["=", "Enter"]);
});

test("beforehand come pictures and frames, never an answer or a heat map, and no giant film", () => {
  const urls = wanted("1.2", [{ uid: "3.4", width: 2000, height: 2000 }, { uid: "5.6", width: 7000, height: 7000 }]);
  assert.deepEqual(urls.map((url) => url.split("/films/")[1]), ["3.4/preview.png", "3.4/thumbnail.png", "5.6/preview.png", "5.6/thumbnail.png", "3.4/frame"]);
});
