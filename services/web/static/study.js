// A study's page: labels by mouse or keyboard, save once, go on. Nothing here decides anything about a film.

import { FILM_GESTURES, filmKeys } from "./film-keys.js";
import { watchStudy } from "./fresh.js";
import { listen } from "./keys.js";
import { inWords, nothingJudged, othersAbsent, toggled } from "./labels.js";
import { nextUnread, skip, skipped } from "./next.js";
import { newKey } from "./outbox.js";
import { flush, go, outbox, say, showWaiting } from "./page.js";
import { preloadNext } from "./preload.js";
import { Films } from "./toolbar.js";

const form = document.getElementById("read");
const uid = document.body.dataset.uid;
// What is set but not saved survives a look at another study and a reload, in this tab.
const DRAFT = `hilum.draft.${uid}`;
const comment = document.getElementById("comment");
const title = document.body.dataset.title;
const message = document.getElementById("message");
const rows = [...document.querySelectorAll("tr[data-finding]")];
const films = new Films(say);

let key = newKey();
let secondsSpent = 0;
let locked = false;

setInterval(() => {
  if (!document.hidden) secondsSpent += 1;
}, 1_000);

function tell(text, kind = "") {
  message.textContent = text;
  message.className = `message ${kind}`;
}

function readLabels() {
  return Object.fromEntries(
    rows.map((row) => {
      const chosen = row.querySelector("input[type=radio]:checked");
      return [row.dataset.finding, chosen ? Number(chosen.value) : null];
    }),
  );
}

function writeLabels(labels) {
  for (const row of rows) {
    for (const input of row.querySelectorAll("input[type=radio]")) {
      input.checked = labels[row.dataset.finding] === Number(input.value);
    }
  }
  if (locked) return;
  tell(nothingJudged(labels) ? "Nothing judged yet." : inWords(labels));
  keepDraft(labels);
}

function keepDraft(labels) {
  sessionStorage.setItem(DRAFT, JSON.stringify({ labels, comment: comment.value }));
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
  if (locked || !form) return;
  const row = rowInUse() ?? rows[0];
  writeLabels(value === null ? { ...readLabels(), [row.dataset.finding]: null } : toggled(readLabels(), row.dataset.finding, value));
  focusRow(row);
}

function allOthersAbsent() {
  if (!locked && form) writeLabels(othersAbsent(readLabels()));
}

function lock(on) {
  locked = on;
  for (const part of document.querySelectorAll("#read fieldset, #read textarea, .actions button:not(#skip)")) part.disabled = on;
}

async function goOn(text) {
  try {
    const next = await nextUnread(uid);
    if (next) go(`/studies/${next.uid}`, text);
    else go("/", skipped().length ? `${text} Only skipped studies are left.` : `${text} Every study is read.`);
  } catch {
    go("/", text);
  }
}

// After a blind read the answer is shown beside it before going on; else the next study follows at once.
function afterSaving() {
  sessionStorage.removeItem(DRAFT);
  if (form.dataset.blind === "yes") go(`/studies/${uid}?saved=1`, "The read is saved; here is the answer.");
  else goOn(`The read of ${title} is saved.`);
}

async function save() {
  if (locked || !form) return;
  const labels = readLabels();
  if (nothingJudged(labels)) {
    tell("Nothing judged yet: set a finding, or press a for all others absent.", "bad");
    return;
  }
  lock(true);
  tell("Saving …");
  const entry = {
    key,
    url: `/v1/studies/${uid}/reads`,
    page: `/studies/${uid}`,
    uid,
    title,
    keptAt: Date.now(),
    body: {
      labels,
      answer_version: Number(form.dataset.answerVersion),
      seconds_spent: secondsSpent,
      comment: comment.value,
      film_uids: films.figures.map((figure) => figure.dataset.uid),
    },
  };
  try {
    outbox.keep(entry);
  } catch {
    // A full or forbidden storage must not stop a read: it is sent all the same.
  }
  const outcome = await outbox.deliver(entry);
  if (outcome.kind === "saved") {
    afterSaving();
    return;
  }
  if (outcome.kind === "refused") {
    outbox.forget(key);
    key = newKey();
    lock(false);
    tell(`Not saved: ${outcome.detail}`, "bad");
    return;
  }
  showWaiting();
  tell(`${outcome.detail} Your read is kept in this browser and is sent as soon as the server is back.`, "bad");
}

async function passOver() {
  skip(uid);
  await goOn(`${title} is skipped and stays unread.`);
}

document.addEventListener("hilum:sent", (event) => {
  if (event.detail.uid === uid && form) afterSaving();
});

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
form?.addEventListener("change", () => writeLabels(readLabels()));
comment?.addEventListener("input", () => keepDraft(readLabels()));
// A click on the chosen answer takes it back: a radio button alone cannot.
for (const row of rows) {
  let before = null;
  row.addEventListener("pointerdown", () => {
    before = row.querySelector("input:checked")?.value ?? null;
  });
  row.addEventListener("click", (event) => {
    if (event.target.matches("input[type=radio]") && event.detail > 0 && event.target.value === before && !locked) {
      before = null;
      writeLabels({ ...readLabels(), [row.dataset.finding]: null });
    }
  });
}
for (const button of document.querySelectorAll("button[data-heat-of]")) {
  button.addEventListener("click", () => films.toggleHeat(button.dataset.heatOf));
}
document.getElementById("absent")?.addEventListener("click", allOthersAbsent);
document.getElementById("clear")?.addEventListener("click", () => {
  writeLabels(Object.fromEntries(rows.map((row) => [row.dataset.finding, null])));
});
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
    e: { help: "Read again", run: () => document.getElementById("again")?.click() },
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

if (form) {
  const kept = outbox.entries().find((entry) => entry.uid === uid && !entry.refused);
  if (kept) {
    key = kept.key;
    writeLabels(kept.body.labels);
    comment.value = kept.body.comment;
    lock(true);
    tell("Your read of this study is kept in this browser and not sent yet.", "bad");
    flush();
  } else {
    const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
    comment.value = draft.comment ?? "";
    writeLabels({ ...readLabels(), ...draft.labels });
  }
  const shown = { answerVersion: Number(form.dataset.answerVersion), filmCount: films.figures.length };
  watchStudy(uid, shown, () => {
    if (locked) return;
    if (nothingJudged(readLabels()) && !comment.value) location.reload();
    else document.getElementById("changed").hidden = false;
  });
  if (rows.length) focusRow(rows[0]);
} else {
  document.getElementById("go-on")?.focus();
}
// This study's own film comes first.
films.ready.finally(() => preloadNext(uid));
