// The upload page: one request per file, three at a time, one line per file that has begun. A line is drawn at most once
// per frame, and of thousands the oldest stored ones leave the list: the totals count them.

import { chosen, dropped, isLeftOut } from "./files.js";
import { bytes, count } from "./format.js";
import { Parallel } from "./parallel.js";
import { sendFilm } from "./send.js";
import { sniff } from "./sniff.js";

const LANES = 3;
const HEAD_BYTES = 65_536;
// More lines make each frame of the page slower, and nobody reads them.
const MOST_LINES = 500;
const byId = (id) => document.getElementById(id);
const limit = Number(document.body.dataset.maxBytes);
const list = byId("files");
const items = [];
const touched = new Set();
const counts = new Map();
const settled = [];
let lines = 0;
let leftOut = 0;

// Whether there is place for one more line: what went well makes room, what needs a look stays.
function roomForLine() {
  if (lines < MOST_LINES) return true;
  const old = settled.shift();
  if (!old) return false;
  old.line.remove();
  old.line = null;
  lines -= 1;
  return true;
}

function draw(item) {
  if (!item.line) {
    if (item.settled || item.state === "waiting" || !roomForLine()) return;
    lines += 1;
    item.line = document.getElementById("file-line").content.firstElementChild.cloneNode(true);
    item.line.querySelector(".path").textContent = item.path;
    item.line.querySelector(".whose").textContent = [item.fields.patient_id, item.fields.accession].filter(Boolean).join(", ");
    item.line.querySelector(".name").title = item.path;
    item.line.querySelector(".size").textContent = bytes(item.file.size);
    list.append(item.line);
  }
  const { line } = item;
  line.dataset.state = item.state;
  line.querySelector(".kind").textContent = item.kind;
  const bar = line.querySelector("progress");
  bar.value = item.progress;
  bar.hidden = item.state !== "sending";
  const outcome = line.querySelector(".outcome");
  outcome.replaceChildren(item.words);
  if (item.page) {
    const link = document.createElement("a");
    link.href = item.page;
    link.textContent = "Open the study";
    outcome.append(" ", link);
  }
  if (item.state === "failed") {
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => retry([item]));
    outcome.append(again);
  }
  if (["stored", "duplicate"].includes(item.state) && !item.settled) {
    item.settled = true;
    settled.push(item);
  }
}

// The one place where an item's state changes: the totals of thousands are counted, not searched.
function become(item, changes) {
  if (changes.state && changes.state !== item.state) {
    if (item.state) counts.set(item.state, counts.get(item.state) - 1);
    counts.set(changes.state, (counts.get(changes.state) ?? 0) + 1);
  }
  Object.assign(item, changes);
  touch(item);
}

function drawTotals() {
  const by = (state) => counts.get(state) ?? 0;
  const open = by("waiting") + by("sending");
  const done = items.length - open;
  const parts = [`${done.toLocaleString("en-GB")} of ${count(items.length, "file")}`];
  for (const [state, words] of [
    ["stored", "stored"],
    ["duplicate", "already here"],
    ["conflict", "in conflict"],
    ["refused", "refused"],
    ["failed", "failed"],
  ]) {
    if (by(state)) parts.push(`${by(state)} ${words}`);
  }
  const unseen = items.length - by("waiting") - lines;
  if (unseen > 0) parts.push(`${unseen} not listed below`);
  if (leftOut) parts.push(`${leftOut} left out (no films: hidden or index files)`);
  byId("totals").hidden = items.length + leftOut === 0;
  byId("totals-text").textContent = parts.join(" · ");
  byId("totals-bar").max = Math.max(items.length, 1);
  byId("totals-bar").value = done;
  byId("retry").hidden = by("failed") === 0;
  byId("stop").hidden = by("waiting") === 0;
  byId("to-list").hidden = open > 0 || by("stored") + by("duplicate") === 0;
  byId("announce").textContent = open ? "" : parts.join(", ");
}

let frame = 0;
function touch(item) {
  if (item) touched.add(item);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    // At most a hundred lines a frame keep the page alive while thousands are added.
    let budget = 100;
    for (const one of touched) {
      if (budget === 0) break;
      budget -= 1;
      touched.delete(one);
      draw(one);
    }
    drawTotals();
    if (touched.size) touch();
  });
}

async function work(item) {
  become(item, { state: "sending", words: "Sending …" });
  try {
    const found = sniff(await item.file.slice(0, HEAD_BYTES).arrayBuffer());
    item.kind = found.width ? `${found.type} ${found.width} × ${found.height}` : found.type;
  } catch {
    become(item, { state: "failed", words: "The browser can't read this file." });
    return;
  }
  const outcome = await sendFilm(item.file, item.fields, (progress) => {
    become(item, { progress, words: progress === 1 ? "Checking …" : item.words });
  });
  become(item, { ...outcome, progress: 1 });
}

const queue = new Parallel(work, LANES);

function fields() {
  return Object.fromEntries(["accession", "patient_id", "priority"].map((name) => [name, byId(name).value.trim()]));
}

// A film goes under the patient that stood in the form when it was chosen, whatever stands there when its turn comes.
function add(found) {
  const fresh = [];
  const order = fields();
  for (const { file, path } of found) {
    if (isLeftOut(path)) {
      leftOut += 1;
      continue;
    }
    const item = { file, path, fields: order, kind: "", progress: 0, page: null };
    items.push(item);
    if (file.size > limit) {
      const words = `Not sent: larger than ${bytes(limit)}, the most that one request may hold.`;
      become(item, { state: "refused", words });
    } else {
      become(item, { state: "waiting", words: "Waiting" });
      fresh.push(item);
    }
  }
  queue.add(fresh);
  touch();
}

function retry(failed) {
  for (const item of failed) become(item, { state: "waiting", words: "Waiting", progress: 0 });
  queue.add(failed);
}

for (const id of ["choose-files", "choose-folder"]) {
  byId(id).addEventListener("change", (event) => {
    add(chosen(event.target));
    event.target.value = "";
  });
  byId(`${id}-button`).addEventListener("click", () => byId(id).click());
}

const drop = byId("drop");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  // At least every quarter of a second what was found so far is shown, however long a folder takes to be read.
  let batch = [];
  let shown = 0;
  for await (const one of dropped(event.dataTransfer)) {
    batch.push(one);
    if (batch.length === 100 || performance.now() - shown > 250) {
      add(batch);
      batch = [];
      shown = performance.now();
    }
  }
  add(batch);
});

byId("retry").addEventListener("click", () => retry(items.filter((item) => item.state === "failed")));
byId("stop").addEventListener("click", () => {
  for (const item of queue.drain()) {
    become(item, { state: "failed", words: "Not sent: stopped." });
  }
});
addEventListener("beforeunload", (event) => {
  if (queue.busy) event.preventDefault();
});
