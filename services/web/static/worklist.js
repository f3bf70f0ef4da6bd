// The worklist: moves by keyboard, opens by a click anywhere on a row, and stays fresh without losing the place.

import { listen } from "./keys.js";
import { reconcile } from "./reconcile.js";
import { refreshTimes } from "./times.js";

const EVERY_MS = 4_000;
const rows = document.getElementById("rows");
let etag = "";

function links() {
  return [...(rows?.querySelectorAll("a.open") ?? [])];
}

function move(step) {
  const all = links();
  const at = all.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  all[next]?.focus();
  all[next]?.scrollIntoView({ block: "nearest" });
}

async function refresh() {
  const url = new URL(location.href);
  url.searchParams.set("part", "list");
  const answer = await fetch(url, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
  if (answer.status === 304 || !answer.ok) return;
  etag = answer.headers.get("ETag") ?? "";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  // From no rows to some rows, or back, the page's shape changes: take the whole part.
  const freshRows = fresh.getElementById("rows");
  if (!rows || !freshRows) {
    if (Boolean(rows) !== Boolean(freshRows)) location.reload();
    return;
  }
  refreshTimes(fresh);
  reconcile(rows, freshRows);
  for (const id of ["summary", "pages"]) {
    const [before, after] = [document.getElementById(id), fresh.getElementById(id)];
    if (before && after && before.dataset.version !== after.dataset.version) before.replaceWith(after);
  }
  refreshTimes();
}

async function keepFresh() {
  if (!document.hidden) await refresh().catch(() => {}); // the header says when the server is away
  setTimeout(keepFresh, EVERY_MS);
}

rows?.addEventListener("click", (event) => {
  if (event.target.closest("a, button") || getSelection().toString()) return;
  event.target.closest("tr")?.querySelector("a.open")?.click();
});

const down = { run: () => move(1), repeats: true };
const up = { run: () => move(-1), repeats: true };
listen({
  j: down,
  ArrowDown: down,
  k: up,
  ArrowUp: up,
  Enter: { run: (event) => (event.target === document.body ? links()[0]?.click() : false) },
  "/": { run: () => document.getElementById("search")?.focus() },
  n: { run: () => document.querySelector("a[rel=next]")?.click() },
  p: { run: () => document.querySelector("a[rel=prev]")?.click() },
});

for (const field of document.querySelectorAll("#filters select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

// Whoever comes back to the list sees skipped studies again when they next ask for the first unread one.
if (document.body.dataset.page === "worklist") sessionStorage.removeItem("hilum.skipped");
if (document.body.dataset.live === "yes") setTimeout(keepFresh, EVERY_MS);
