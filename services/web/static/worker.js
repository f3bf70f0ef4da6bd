// The service worker: sends reads that wait when the network is back, also after every tab was closed. It answers no
// request of a page: pages always come from the server.

import { SYNC, deliverAll, outbox } from "./deliver.js";

async function send() {
  await deliverAll("wait");
  // Rejected, so that the browser tries again later.
  if ((await outbox.entries()).some((entry) => !entry.refused)) throw new Error("reads still wait");
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("sync", (event) => {
  if (event.tag === SYNC) event.waitUntil(send());
});
