// Take what waits in this browser to the server: from a page, or from the service worker after every tab is closed.

import { Outbox } from "./outbox.js";
import { reads } from "./store.js";

export const SYNC = "hilum-reads";
export const outbox = new Outbox(reads);
const channel = globalThis.BroadcastChannel ? new BroadcastChannel("hilum.outbox") : null;

// One tab or worker sends at a time; where the browser has no locks the idempotency key alone keeps reads single.
export async function deliverAll(whenBusy = "skip") {
  const work = async () => {
    const saved = await outbox.flush();
    for (const entry of saved) channel?.postMessage(entry);
    return saved;
  };
  if (!globalThis.navigator?.locks) return work();
  const options = whenBusy === "skip" ? { ifAvailable: true } : {};
  return navigator.locks.request("hilum.outbox", options, (lock) => (lock ? work() : []));
}

// Another tab, or the worker, has sent a read that this page may be waiting for.
export function whenSentElsewhere(tell) {
  channel?.addEventListener("message", (event) => tell(event.data));
}

// Ask for the worker's help once the network is back; browsers without Background Sync send at the next page load.
export async function helpLater() {
  try {
    const registration = await navigator.serviceWorker.ready;
    await registration.sync.register(SYNC);
  } catch {
    // The next page load sends it.
  }
}

export function startWorker() {
  if (!("serviceWorker" in navigator) || !("SyncManager" in globalThis)) return;
  const url = new URL("./worker.js", import.meta.url);
  navigator.serviceWorker.register(url, { scope: "/", type: "module" }).catch(() => {});
}
