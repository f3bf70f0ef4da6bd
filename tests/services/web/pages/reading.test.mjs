import assert from "node:assert/strict";
import { test } from "node:test";

const from = (name) => import(`${process.env.HILUM_STATIC}/${name}.js`);
const { inWords, nothingJudged, othersAbsent, toggled } = await from("labels");
const { choose } = await from("next");
const { changed } = await from("fresh");
const { outcomeOf } = await from("send");
const { sniff } = await from("sniff");
const { Parallel } = await from("parallel");
const { isLeftOut } = await from("files");

test("all others absent leaves what is judged", () => {
  assert.deepEqual(othersAbsent({ Mass: 1, Edema: null, Nodule: -1 }), { Mass: 1, Edema: 0, Nodule: -1 });
});

test("the same answer twice takes it back", () => {
  assert.deepEqual(toggled({ Mass: null }, "Mass", 0), { Mass: 0 });
  assert.deepEqual(toggled({ Mass: 0 }, "Mass", 0), { Mass: null });
  assert.deepEqual(toggled({ Mass: 0 }, "Mass", 1), { Mass: 1 });
});

test("absent is a judgement, blank is none", () => {
  assert.equal(nothingJudged({ Mass: null }), true);
  assert.equal(nothingJudged({ Mass: 0 }), false);
  assert.equal(inWords({ Mass: 1, Edema: 0, Nodule: null }), "present: Mass · 1 absent · 1 not judged");
});

test("the next study is the earliest due that was not skipped", () => {
  const studies = [{ uid: "1" }, { uid: "2" }, { uid: "3" }];
  assert.equal(choose(studies, "1", []).uid, "2");
  assert.equal(choose(studies, "3", ["1"]).uid, "2");
  assert.equal(choose(studies, "3", ["1", "2"]), null);
});

test("what became of a file is said in words", () => {
  const film = (outcome, detail = "") => ({ films: [{ outcome, detail, study_uid: "1.2" }] });
  assert.deepEqual(outcomeOf(201, film("stored")), { state: "stored", words: "Stored", page: "/studies/1.2" });
  assert.equal(outcomeOf(200, film("duplicate")).words, "Already here");
  assert.equal(outcomeOf(409, { detail: "other content", films: film("conflict", "other content").films }).state, "conflict");
  assert.equal(outcomeOf(422, { detail: "a CT slice is not a radiograph" }).words, "Refused: a CT slice is not a radiograph");
  for (const status of [429, 500, 503]) assert.equal(outcomeOf(status, { detail: "busy" }).state, "failed");
  assert.equal(outcomeOf(413, null).state, "refused");
});

test("a file's type and size are read from its first bytes", () => {
  const bytes = (...parts) => Uint8Array.from(parts.flat()).buffer;
  assert.deepEqual(sniff(bytes()), { type: "empty" });
  assert.deepEqual(sniff(new TextEncoder().encode("text, no film at all, longer than a header").buffer), { type: "unknown" });
  const png = bytes([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], Array(8).fill(0), [0, 0, 156, 64, 0, 0, 0, 9], Array(8).fill(0));
  assert.deepEqual(sniff(png), { type: "PNG", width: 40_000, height: 9 });
  const jpeg = bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0], [0xff, 0xc0, 0, 11, 8, 0, 128, 1, 0, 1, 1, 0x11, 0]);
  assert.deepEqual(sniff(jpeg), { type: "JPEG", width: 256, height: 128 });
  assert.equal(sniff(bytes([0xff, 0xd8, 0xff])).type, "unknown");
  const dicom = new Uint8Array(140);
  dicom.set(new TextEncoder().encode("DICM"), 128);
  assert.deepEqual(sniff(dicom.buffer), { type: "DICOM" });
});

test("never more lanes than asked for, and a failure does not stop the queue", async () => {
  let now = 0;
  let most = 0;
  const done = [];
  const queue = new Parallel(async (n) => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 1));
    now -= 1;
    done.push(n);
    if (n % 5 === 0) throw new Error("this one");
  }, 3);
  const idle = new Promise((resolve) => {
    queue.idle = resolve;
  });
  queue.add([...Array(40).keys()]);
  await idle;
  assert.equal(most, 3);
  assert.deepEqual(done.toSorted((a, b) => a - b), [...Array(40).keys()]);
  assert.equal(queue.busy, false);
});

test("hidden and index files are left out of a folder", () => {
  for (const path of ["a/.DS_Store", ".hidden", "cd/DICOMDIR", "x/Thumbs.db"]) assert.equal(isLeftOut(path), true, path);
  for (const path of ["a/film.dcm", "IM0001", "v1.2/film"]) assert.equal(isLeftOut(path), false, path);
});

test("a new answer or a new film is a change, a read is none", () => {
  const shown = { answerVersion: 1, filmCount: 1 };
  assert.equal(changed(shown, { answer_version: 1, film_count: 1, status: "read" }), false);
  assert.equal(changed(shown, { answer_version: 2, film_count: 1 }), true);
  assert.equal(changed(shown, { answer_version: 1, film_count: 2 }), true);
});
