// A study's page: labels by mouse or keyboard, save once, go on. Nothing here decides anything about a film.

import { helpLater } from "./deliver.js";
import { FILM_GESTURES, filmKeys } from "./film-keys.js";
import { ReadForm } from "./form.js";
import { watchStudy } from "./fresh.js";
import { listen } from "./keys.js";
import { nothingJudged, othersAbsent, toggled } from "./labels.js";
import { nextUnread, skip, skipped } from "./next.js";
import { newKey } from "./outbox.js";
import { flush, go, outbox, say, showWaiting } from "./page.js";
import { preloadNext } from "./preload.js";
import { askForSecondRead } from "./second.js";
import { Films } from "./toolbar.js";
import { remember } from "./undo.js";

const form = document.getElementById("read");
const uid = document.body.dataset.uid;
const title = document.body.dataset.title;
const message = document.getElementById("message");
const rows = [...document.querySelectorAll("tr[data-finding]")];
const films = new Films(say);
const read = form && new ReadForm(form, uid, tell);

let key = newKey();
let secondsSpent = 0;

setInterval(() => {
  if (!document.hidden) secondsSpent += 1;
}, 1_000);

function tell(text, kind = "") {
  message.textContent = text;
  message.className = `message ${kind}`;
}

function rowInUse() {
  return rows.find((row) => row.contains(document.activeElement)) ?? null;
}

function focusRow(row) {
  const target = row.querySelector("input:checked") ?? row.querySelector("input");
  target?.focus();
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  if (!rows.length) return;
  const at = rows.indexOf(rowInUse());
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
  focusRow(rows[next]);
}

function set(value) {
  if (!read || read.locked) return;
  const row = rowInUse() ?? rows[0];
  const name = row.dataset.finding;
  read.write(value === null ? { ...read.read(), [name]: null } : toggled(read.read(), name, value));
  focusRow(row);
}

function allOthersAbsent() {
  if (read && !read.locked) read.write(othersAbsent(read.read()));
}

async function goOn(text, following = null) {
  try {
    const next = await (following ?? nextUnread(uid));
    if (next) go(`/studies/${next.uid}`, text);
    else go("/", skipped().length ? `${text} Only skipped studies are left.` : `${text} No study is left that nobody reads.`);
  } catch {
    go("/", text);
  }
}

// After a blind or a second read its counterpart is shown before going on; else the next study follows at once.
function afterSaving(following = null) {
  read.dropDraft();
  remember(uid, key, title, Number(form.dataset.undoSeconds));
  const { blind, second, kind } = form.dataset;
  if (blind === "yes") go(`/studies/${uid}?saved=1`, "The read is saved; here is the answer.");
  else if (second === "yes" || kind === "adjudication") go(`/studies/${uid}?saved=1`, "The read is saved; here is the other one.");
  else goOn(`The read of ${title} is saved.`, following);
}

function entryOf(labels) {
  const { answerVersion, ownVersion, kind } = form.dataset;
  return {
    key,
    url: `/v1/studies/${uid}/reads`,
    page: `/studies/${uid}`,
    uid,
    title,
    reader: document.body.dataset.reader,
    keptAt: Date.now(),
    body: {
      labels,
      answer_version: Number(answerVersion),
      seconds_spent: secondsSpent,
      comment: read.comment.value,
      film_uids: films.figures.map((figure) => figure.dataset.uid),
      seen_version: Number(ownVersion),
      kind,
    },
  };
}

async function save() {
  if (!read || read.locked) return;
  const labels = read.read();
  if (nothingJudged(labels)) {
    tell("Nothing judged yet: set a finding, or press a for all others absent.", "bad");
    return;
  }
  read.lock(true);
  tell("Saving …");
  // A full or forbidden storage must not stop a read: it is sent all the same.
  const { kept, said } = outbox.begin(entryOf(labels));
  // Asked while the read is on its way: it is another study in any case.
  const following = nextUnread(uid);
  following.catch(() => {});
  const outcome = await said;
  if (outcome.kind === "saved") {
    afterSaving(following);
    return;
  }
  if (outcome.kind === "refused") {
    // What is typed stays in the form, as a new read.
    await outbox.sending.get(key);
    await outbox.forget(key).catch(() => {});
    key = newKey();
    read.lock(false);
    if (outcome.type === "read-meanwhile") form.dataset.ownVersion = String(2 ** 31 - 1);
    tell(`Not saved: ${outcome.detail}${outcome.type === "read-meanwhile" ? " Save again to keep this one too, as a new version." : ""}`, "bad");
    return;
  }
  if (!(await kept)) {
    read.lock(false);
    tell(`${outcome.detail} This browser can't keep the read: leave this page open and save again.`, "bad");
    return;
  }
  helpLater();
  showWaiting();
  tell(outcome.kind === "away" ? `${outcome.detail} Your read is kept in this browser and is sent as soon as the server is back.` : outcome.detail, "bad");
}

async function passOver() {
  skip(uid);
  // Counted by the server, so that a study which everybody skips is escalated; a skip that gets lost harms nobody.
  fetch(`/v1/studies/${uid}/skip`, { method: "POST", keepalive: true }).catch(() => {});
  await goOn(`${title} is skipped and stays unread.`);
}

document.addEventListener("hilum:go-on", () => goOn(""));
document.addEventListener("hilum:sent", (event) => {
  // Only this form's own read: another tab's must not sweep away what is being typed here.
  if (form && event.detail.key === key) afterSaving();
});
document.addEventListener("hilum:undo", (event) => {
  if (read && !read.locked && read.undo()) event.preventDefault();
});

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
for (const button of document.querySelectorAll("button[data-heat-of]")) {
  button.addEventListener("click", () => films.toggleHeat(button.dataset.heatOf));
}
document.getElementById("absent")?.addEventListener("click", allOthersAbsent);
document.getElementById("clear")?.addEventListener("click", () => {
  read.write(Object.fromEntries(rows.map((row) => [row.dataset.finding, null])));
});
document.getElementById("undo")?.addEventListener("click", () => read.undo());
document.getElementById("second")?.addEventListener("click", () => askForSecondRead(uid, tell));
document.getElementById("skip")?.addEventListener("click", passOver);
document.getElementById("go-on")?.addEventListener("click", () => goOn(""));

const film = filmKeys(films);
const onSlider = (event) => event.target.matches("input[type=range]");
// An arrow belongs to the slider or the film that has the focus, else it goes from finding to finding.
const arrow = (key, step) => ({
  help: step > 0 ? "Next finding" : "Previous finding",
  run: (event) => (onSlider(event) ? false : film.arrows[key](event) || move(step)),
  repeats: true,
});
const sideways = (key) => ({ run: (event) => !onSlider(event) && film.arrows[key](event), repeats: true });
const follow = (rel) => () => document.querySelector(`a[rel=${rel}]`)?.click();
const takeBack = { help: "Take it back (or the same key again)", run: () => set(null) };

listen(
  {
    j: { help: "Next finding", run: () => move(1), repeats: true },
    k: { help: "Previous finding", run: () => move(-1), repeats: true },
    ArrowDown: arrow("ArrowDown", 1),
    ArrowUp: arrow("ArrowUp", -1),
    ArrowLeft: sideways("ArrowLeft"),
    ArrowRight: sideways("ArrowRight"),
    1: { help: "Present", run: () => set(1) },
    2: { help: "Absent", run: () => set(0) },
    3: { help: "Uncertain", run: () => set(-1) },
    0: takeBack,
    Backspace: takeBack,
    a: { help: "All others absent", run: allOthersAbsent },
    s: { help: "Save, then the next unread study", run: () => (form ? save() : goOn("")) },
    x: { help: "Skip: the study stays unread", run: passOver },
    n: { help: "Next unread study, without saving", run: follow("next") },
    p: { help: "Previous unread study, without saving", run: follow("prev") },
    q: { help: "Decide between two readers (leads)", run: () => document.getElementById("decide")?.click() },
    e: { help: "Edit: read again, as a new version", run: () => document.getElementById("again")?.click() },
    h: {
      help: "Heat map of the finding in use: influence, not location",
      run: () => {
        const row = rowInUse() ?? rows[0];
        if (row?.querySelector("button[data-heat-of]")) films.toggleHeat(row.dataset.finding);
      },
    },
    ...film.keys,
  },
  FILM_GESTURES,
);

async function begin() {
  const kept = (await outbox.entries()).find((entry) => entry.uid === uid && !entry.refused && entry.reader === document.body.dataset.reader);
  if (kept) {
    key = kept.key;
    read.show(kept.body.labels);
    read.comment.value = kept.body.comment;
    read.lock(true);
    tell("Your read of this study is kept in this browser and not sent yet.", "bad");
    flush();
  } else {
    read.restore();
  }
  const shown = { answerVersion: Number(form.dataset.answerVersion), filmCount: films.figures.length };
  watchStudy(uid, shown, () => {
    if (read.locked) return;
    if (nothingJudged(read.read()) && !read.comment.value) location.reload();
    else document.getElementById("changed").hidden = false;
  });
  if (rows.length) focusRow(rows[0]);
}

// "Back" may bring the page as it was left; what is read meanwhile is shown as read.
addEventListener("pageshow", (event) => event.persisted && location.reload());

if (form) begin();
else document.getElementById("go-on")?.focus();
// This study's own film comes first.
films.ready.finally(() => preloadNext(uid));
