// Claims the unread study on the screen, renews the claim while it is open, and gives it back when the page is left.

import { clock } from "./format.js";
import { newKey } from "./outbox.js";
import { now } from "./server-clock.js";

const uid = document.body.dataset.uid;
const reading = Boolean(document.getElementById("read")) && !document.getElementById("closed");
const claimed = document.getElementById("claimed");
const taken = document.getElementById("taken");
let mine = false;
let touched = Date.now();
let asked = 0;

const TOUCHES = ["pointermove", "pointerdown", "keydown", "wheel"];
for (const kind of TOUCHES) addEventListener(kind, () => (touched = Date.now()), { passive: true, capture: true });

// A claim outlives a lost renewal.
export function renewAfter(claim, at) {
  return Math.max((new Date(claim.expires_at) - at) / 3, 2_000);
}

function call(path, method = "POST") {
  return fetch(`/v1/studies/${uid}/${path}`, { method, keepalive: true });
}

function show(claim) {
  if (mine) {
    mine = false;
    document.getElementById("taken-by").textContent = claim.reader;
    taken.hidden = false;
    return;
  }
  document.getElementById("claimed-by").textContent = claim.reader;
  document.getElementById("claimed-since").textContent = ` since ${clock(new Date(claim.claimed_at), now())}`;
  claimed.hidden = false;
}

// Who is away does not hold a study, nor a session: a claim is renewed only for somebody who does something.
function renew() {
  if (touched > asked) keep();
  else waitForTouch();
}

function waitForTouch() {
  for (const kind of TOUCHES) addEventListener(kind, renew, { once: true, passive: true });
}

async function keep(takeOver = false) {
  for (const kind of TOUCHES) removeEventListener(kind, renew);
  asked = Date.now();
  // Whoever lost the claim, or never had it, asks again only by the button.
  let pause = 60_000;
  try {
    const answer = await call(takeOver ? "claim?take_over=true" : "claim");
    const said = await answer.json();
    if (answer.ok) {
      mine = true;
      claimed.hidden = taken.hidden = true;
      pause = renewAfter(said, now());
    } else if (answer.status === 409) {
      show(said);
      return;
    }
  } catch {
    // The header says that the server is away; reading goes on without a claim.
  }
  setTimeout(renew, Math.min(pause, 60_000));
}

document.getElementById("take-over")?.addEventListener("click", () => keep(true));
document.getElementById("leave-it")?.addEventListener("click", () => document.dispatchEvent(new CustomEvent("hilum:go-on")));
document.getElementById("reopen")?.addEventListener("click", async () => {
  const body = JSON.stringify({ by: document.body.dataset.reader, reason: "put back into the list by hand" });
  const headers = { "Content-Type": "application/json", "Idempotency-Key": newKey() };
  const answer = await fetch(`/v1/studies/${uid}/reopen`, { method: "POST", headers, body });
  if (answer.ok) location.reload();
});
addEventListener("pagehide", () => {
  if (mine) call("claim", "DELETE");
  mine = false;
});
// The back button shows the page as it was left: without its claim.
addEventListener("pageshow", (event) => event.persisted && reading && keep());
if (reading) keep();
