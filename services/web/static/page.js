// What every page does: times, connection, waiting reads, shortcuts, and the message left by the page before.

import { watchConnection } from "./connection.js";
import { deliverAll, outbox, startWorker, whenSentElsewhere } from "./deliver.js";
import { ago, count, duration } from "./format.js";
import { listen, shortcuts } from "./keys.js";
import { go, say, sayLeft } from "./say.js";
import { wrongBySeconds } from "./server-clock.js";
import { refreshTimes } from "./times.js";
import { show as showUndo, takeBack } from "./undo.js";

export { go, outbox, say };
function waitingLine(entry) {
  const line = document.createElement("li");
  const link = document.createElement("a");
  link.href = entry.page;
  link.textContent = entry.title;
  line.append(link, ` · kept ${ago(new Date(entry.keptAt), new Date())}`);
  if (entry.refused) {
    const why = document.createElement("p");
    why.className = "bad";
    why.textContent = `The server refused it: ${entry.refused} `;
    const drop = document.createElement("button");
    drop.type = "button";
    drop.textContent = "Take it off the list";
    drop.addEventListener("click", async () => {
      await outbox.forget(entry.key);
      showWaiting();
    });
    why.append(drop);
    if (entry.why === "read-meanwhile") why.prepend(insistButton(entry));
    line.append(why);
  }
  return line;
}

// The reader saved the study in another tab meanwhile, and wants this read too: as a new version.
function insistButton(entry) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Save it all the same, as a new version";
  button.addEventListener("click", async () => {
    const { refused, why, ...again } = entry;
    await outbox.keep({ ...again, body: { ...again.body, seen_version: null } });
    await flush();
  });
  return button;
}

export async function showWaiting() {
  const entries = await outbox.entries();
  const refused = entries.filter((entry) => entry.refused).length;
  const button = document.getElementById("waiting");
  const text = refused
    ? `${count(refused, "read")} refused`
    : `${count(entries.length, "read")} kept here, not sent yet`;
  button.hidden = entries.length === 0;
  if (button.textContent !== text) button.textContent = text;
  document.getElementById("waiting-list").replaceChildren(...entries.map(waitingLine));
}

function sent(entry) {
  document.dispatchEvent(new CustomEvent("hilum:sent", { detail: entry }));
  say(`The read of ${entry.title} is saved.`);
}

export async function flush() {
  for (const entry of await deliverAll()) sent(entry);
  await showWaiting();
}

async function flushWaiting() {
  if ((await outbox.entries()).some((entry) => !entry.refused)) await flush();
}

// The page's own last step first (a click in a form); with none, the read that was saved last.
function undo() {
  if (document.dispatchEvent(new Event("hilum:undo", { cancelable: true }))) takeBack();
}

// The help is made of the commands themselves, so that it can't lack one.
function showHelp(help) {
  const list = document.getElementById("shortcuts");
  for (const made of list.querySelectorAll(".made")) made.remove();
  for (const [keys, text] of shortcuts()) {
    const term = document.createElement("dt");
    keys.forEach((key, at) => {
      const part = document.createElement("kbd");
      part.textContent = key;
      term.append(at ? " " : "", part);
    });
    const meaning = document.createElement("dd");
    meaning.textContent = text;
    term.className = meaning.className = "made";
    list.append(term, meaning);
  }
  help.showModal();
}

function startDialogs() {
  const help = document.getElementById("help");
  const waiting = document.getElementById("waiting-dialog");
  document.getElementById("help-button").addEventListener("click", () => showHelp(help));
  document.getElementById("waiting").addEventListener("click", () => waiting.showModal());
  listen({
    w: { help: "Worklist", run: () => document.body.dataset.page !== "worklist" && location.assign("/") },
    u: { help: "Upload films", run: () => location.assign("/upload") },
    t: { help: "Take the last click back; with none, the read saved last", run: undo },
    "?": { help: "These shortcuts; Esc closes them", run: () => showHelp(help) },
  });
}

// Times on a page are the server's; whoever looks at the clock beside them should know.
function keepTimesTrue() {
  refreshTimes();
  const wrong = wrongBySeconds();
  const line = document.getElementById("wrong-clock");
  const text = wrong && `This computer's clock is ${duration(wrong)} ${wrong > 0 ? "fast" : "slow"}: waits here go by the server's.`;
  line.hidden = !wrong;
  if (wrong && line.textContent !== text) line.textContent = text;
}

watchConnection(document.getElementById("connection"));
startDialogs();
keepTimesTrue();
setInterval(keepTimesTrue, 15_000);
showWaiting();
document.addEventListener("hilum:back", flush);
setInterval(flushWaiting, 5_000);
flushWaiting();
startWorker();
showUndo();
whenSentElsewhere((entry) => {
  sent(entry);
  showWaiting();
});
sayLeft();
