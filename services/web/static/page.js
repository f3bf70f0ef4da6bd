// What every page does: times, connection, waiting reads, shortcuts, and the message left by the page before.

import { watchConnection } from "./connection.js";
import { ago, count } from "./format.js";
import { listen, shortcuts } from "./keys.js";
import { Outbox } from "./outbox.js";
import { refreshTimes } from "./times.js";

export const outbox = new Outbox(localStorage);
const FLASH = "hilum.flash";

export function say(text) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => {
    toast.hidden = true;
  }, 5_000);
}

// Leave a message for the next page and go there.
export function go(url, text = "") {
  if (text) sessionStorage.setItem(FLASH, text);
  location.assign(url);
}

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
    drop.addEventListener("click", () => {
      outbox.forget(entry.key);
      showWaiting();
    });
    why.append(drop);
    line.append(why);
  }
  return line;
}

export function showWaiting() {
  const entries = outbox.entries();
  const refused = entries.filter((entry) => entry.refused).length;
  const button = document.getElementById("waiting");
  const text = refused
    ? `${count(refused, "read")} refused`
    : `${count(entries.length, "read")} kept here, not sent yet`;
  button.hidden = entries.length === 0;
  if (button.textContent !== text) button.textContent = text;
  document.getElementById("waiting-list").replaceChildren(...entries.map(waitingLine));
}

export async function flush() {
  const work = async () => {
    for (const entry of await outbox.flush()) {
      document.dispatchEvent(new CustomEvent("hilum:sent", { detail: entry }));
      say(`The read of ${entry.title} is saved.`);
    }
  };
  // One tab sends at a time; where the browser has no locks the idempotency key alone keeps reads single.
  if (navigator.locks) await navigator.locks.request("hilum.outbox", { ifAvailable: true }, (lock) => lock && work());
  else await work();
  showWaiting();
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
    "?": { help: "These shortcuts; Esc closes them", run: () => showHelp(help) },
  });
}

watchConnection(document.getElementById("connection"));
startDialogs();
refreshTimes();
setInterval(refreshTimes, 15_000);
showWaiting();
document.addEventListener("hilum:back", flush);
setInterval(() => outbox.entries().some((entry) => !entry.refused) && flush(), 5_000);
if (outbox.entries().length) flush();

const message = sessionStorage.getItem(FLASH);
if (message) {
  sessionStorage.removeItem(FLASH);
  say(message);
}
