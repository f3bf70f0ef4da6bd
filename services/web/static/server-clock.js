// The server's clock. A computer's own may be an hour wrong; how long a patient waits must not be.

// Beneath this the two are alike: a header's time has whole seconds, and an answer takes its way.
const ALIKE_MS = 3_000;
const TELL_MS = 60_000;
let aheadMs = 0;

// A time of the server's that has just come: the page's own, or an answer's.
export function hear(serverMs, ownMs = Date.now()) {
  if (!Number.isFinite(serverMs)) return;
  const found = ownMs - serverMs;
  if (Math.abs(found) <= ALIKE_MS) aheadMs = 0;
  else if (Math.abs(found - aheadMs) > ALIKE_MS) aheadMs = found;
}

export function now(ownMs = Date.now()) {
  return new Date(ownMs - aheadMs);
}

// How far this computer's clock is ahead of the server's, where that is worth a word; 0: it is not.
export function wrongBySeconds() {
  return Math.abs(aheadMs) < TELL_MS ? 0 : aheadMs / 1_000;
}

hear(Date.parse(globalThis.document?.body.dataset.now ?? ""));
