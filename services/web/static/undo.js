// Undo of the read that was saved last in this tab, for as long as the server allows it. The server keeps both.

import { newKey } from "./outbox.js";
import { go, say } from "./say.js";

const SLOT = "hilum.undo";

export function remember(uid, key, title, seconds) {
  // The undo's own key is made now: pressing twice, or again after a broken line, is one undo.
  const kept = { uid, key, title, until: Date.now() + seconds * 1_000, undoKey: newKey() };
  sessionStorage.setItem(SLOT, JSON.stringify(kept));
}

export function pending(now = Date.now()) {
  const kept = JSON.parse(sessionStorage.getItem(SLOT) ?? "null");
  return kept && now < kept.until ? kept : null;
}

export async function takeBack() {
  const kept = pending();
  if (!kept) {
    say("There is nothing to undo.");
    return;
  }
  let answer;
  try {
    answer = await fetch(`/v1/studies/${kept.uid}/reads/${kept.key}/withdraw`, {
      method: "POST",
      headers: { "Idempotency-Key": kept.undoKey },
    });
  } catch {
    say("The server does not answer: nothing is undone. Try again.");
    return;
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) {
    sessionStorage.removeItem(SLOT);
    go(`/studies/${kept.uid}?undone=1`, `The read of ${kept.title} is taken back; what you had set is here.`);
    return;
  }
  if (answer.status === 409 || answer.status === 404) sessionStorage.removeItem(SLOT);
  say(`Not undone: ${body.detail ?? `the server answered ${answer.status}.`}`);
  show();
}

// A button in the line under the header while there is something to undo.
export function show() {
  const kept = pending();
  const old = document.getElementById("undo-saved");
  if (!kept) {
    old?.remove();
    return;
  }
  const button = old ?? document.createElement("button");
  button.type = "button";
  button.id = "undo-saved";
  button.textContent = `Undo the read of ${kept.title} (t)`;
  if (old) return;
  button.addEventListener("click", takeBack);
  document.querySelector(".notice").append(button);
  setInterval(show, 1_000);
}
