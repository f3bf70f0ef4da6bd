// Hears from the server that the list changed, and says so at most once in a while, however often it changes.

const GAP_MS = 2_000;
// Without events (too many listeners, a proxy that cuts streams), and against one that got lost.
const ASK_MS = 30_000;
const ASK_WITHOUT_EVENTS_MS = 5_000;

// Calls `run` at once, then at most every `gap` milliseconds; the last call is never lost.
export function calmly(run, gap, timer = setTimeout, now = () => Date.now()) {
  let last = -Infinity;
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    timer(
      () => {
        waiting = false;
        last = now();
        run();
      },
      Math.max(last + gap - now(), 0),
    );
  };
}

export function whenListChanges(run) {
  // Some chance in it: after a restart not every page asks in the same moment.
  const changed = calmly(run, GAP_MS + Math.random() * 500);
  let source = null;
  let asked = 0;
  function open() {
    // A browser holds six connections to a server in all: pages in the background give theirs back.
    if (document.hidden || source) return;
    source = new EventSource("/v1/events");
    source.addEventListener("list", changed);
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) close();
    });
  }
  function close() {
    source?.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else {
      open();
      changed();
    }
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  document.addEventListener("hilum:back", () => {
    open();
    changed();
  });
  setInterval(() => {
    if (document.hidden) return;
    const every = source?.readyState === EventSource.OPEN ? ASK_MS : ASK_WITHOUT_EVENTS_MS;
    asked += ASK_WITHOUT_EVENTS_MS;
    if (asked < every) return;
    asked = 0;
    changed();
    // A refused stream is tried again now and then.
    if (!source && Math.random() < 0.2) open();
  }, ASK_WITHOUT_EVENTS_MS);
  open();
}
