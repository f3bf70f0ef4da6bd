// The state in the header: asks /readyz, says it in words, and tells other modules when the server is back.

import { hear } from "./server-clock.js";

const EVERY_MS = 10_000;

async function ask() {
  try {
    const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(8_000) });
    hear(Date.parse(answer.headers.get("Date")));
    const body = await answer.json();
    const reasons = [...(body.reasons ?? []), ...(body.warnings ?? [])];
    if (!body.ready) return { state: "away", text: "Not ready", reasons };
    return reasons.length ? { state: "limited", text: "Limited", reasons } : { state: "ready", text: "Ready", reasons };
  } catch {
    return { state: "away", text: "Server away", reasons: ["The server does not answer."] };
  }
}

export function watchConnection(element) {
  let before = element.dataset.state;
  async function look() {
    if (!document.hidden) {
      const { state, text, reasons } = await ask();
      element.dataset.state = state;
      if (element.textContent !== text) element.textContent = text;
      element.title = reasons.join("\n");
      if (state !== "away" && before === "away") document.dispatchEvent(new CustomEvent("hilum:back"));
      before = state;
    }
    setTimeout(look, EVERY_MS);
  }
  look();
  addEventListener("online", () => document.dispatchEvent(new CustomEvent("hilum:back")));
}
