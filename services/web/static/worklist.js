// The worklist: moves by keyboard, opens by a click anywhere on a row, and stays fresh without losing the place.

import { difference, inUse, inWords } from "./arrivals.js";
import { listen } from "./keys.js";
import { whenListChanges } from "./listen.js";
import { reconcile } from "./reconcile.js";
import { refreshTimes } from "./times.js";

const main = document.getElementById("main");
const banner = document.getElementById("arrivals");
const live = document.body.dataset.live === "yes";
let rows = document.getElementById("rows");
let etag = "";
let held = null;
let lastTouch = 0;

for (const kind of ["pointermove", "keydown", "wheel", "pointerdown"]) {
  addEventListener(kind, () => (lastTouch = Date.now()), { passive: true, capture: true });
}

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

function described(body) {
  return [...body.children].map((row) => ({ key: row.dataset.key, band: row.dataset.band, row }));
}

function someoneIsInIt() {
  return inUse({
    focused: rows.contains(document.activeElement),
    hovered: rows.matches(":hover"),
    scrolled: main.scrollTop > 40 || scrollY > 40,
    idleSeconds: (Date.now() - lastTouch) / 1000,
  });
}

function showSummary(fresh) {
  for (const id of ["summary", "pages"]) {
    const [before, after] = [document.getElementById(id), fresh.getElementById(id)];
    if (before && after && before.dataset.version !== after.dataset.version) before.replaceWith(document.importNode(after, true));
  }
}

// Lines that stay are brought up to date where they stand; nothing comes, goes or moves.
function updateInPlace(freshRows, change) {
  const after = new Map(described(freshRows).map(({ key, row }) => [key, row]));
  for (const { key, row } of described(rows)) {
    row.classList.toggle("gone", change.gone.includes(key));
    const now = after.get(key);
    if (!now || now.dataset.version === row.dataset.version) continue;
    const focused = row.contains(document.activeElement);
    const made = document.importNode(now, true);
    row.replaceWith(made);
    if (focused) made.querySelector("a.open")?.focus({ preventScroll: true });
  }
}

function apply(fresh) {
  const freshRows = fresh.getElementById("rows");
  const anchor = rows.contains(document.activeElement) ? document.activeElement.closest("tr").dataset.key : null;
  const top = () => [...rows.children].find((row) => row.dataset.key === anchor)?.getBoundingClientRect().top;
  const before = anchor && top();
  for (const row of rows.querySelectorAll(".gone")) row.classList.remove("gone");
  reconcile(rows, freshRows);
  // The line in use stays where it is on the screen.
  if (anchor && top() !== undefined) {
    const moved = top() - before;
    main.scrollTop += moved;
    if (Math.abs(top() - before) > 1) scrollBy(0, top() - before);
  }
  showSummary(fresh);
  hold(null, "");
}

function hold(fresh, text) {
  held = fresh;
  const words = document.getElementById("arrivals-text");
  if (words.textContent !== text) words.textContent = text;
  banner.hidden = !text;
}

async function refresh() {
  const url = new URL(location.href);
  url.searchParams.set("part", "list");
  const answer = await fetch(url, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
  if (answer.status === 304 || !answer.ok) return;
  etag = answer.headers.get("ETag") ?? "";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const freshRows = fresh.getElementById("rows");
  refreshTimes(fresh);
  // From no rows to some rows, or back, the page's shape changes: take the whole part.
  if (!rows || !freshRows) {
    if (Boolean(rows) !== Boolean(freshRows)) location.reload();
    else showSummary(fresh);
    return;
  }
  const change = difference(described(rows), described(freshRows), Boolean(fresh.querySelector("a[rel=next]")));
  const calm = !change.added.length && !change.gone.length && !change.moved;
  if (calm || !someoneIsInIt()) {
    apply(fresh);
  } else {
    updateInPlace(freshRows, change);
    const summary = fresh.getElementById("summary");
    if (summary) document.getElementById("summary")?.replaceWith(document.importNode(summary, true));
    hold(fresh, inWords(change));
  }
  refreshTimes();
}

function showHeld() {
  if (!held) return false;
  apply(held);
  refreshTimes();
  return true;
}

document.addEventListener("click", (event) => {
  const row = event.target.closest("#rows tr");
  if (!row || event.target.closest("a, button") || getSelection().toString()) return;
  row.querySelector("a.open")?.click();
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
  r: { run: showHeld },
  n: { run: () => document.querySelector("a[rel=next]")?.click() },
  p: { run: () => document.querySelector("a[rel=prev]")?.click() },
});

// Empty fields stay out of the address.
document.getElementById("filters")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  if (live && ![...event.formData].length) event.formData.set("status", "unread");
});
for (const field of document.querySelectorAll("#filters select, #filters input:not([type=search])")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}
document.getElementById("show-arrivals")?.addEventListener("click", showHeld);

// Whoever comes back to the list sees skipped studies again when they next ask for the first unread one.
if (document.body.dataset.page === "worklist") sessionStorage.removeItem("hilum.skipped");
if (live) {
  whenListChanges(() => refresh().catch(() => {})); // the header says when the server is away
  // Left alone, the list takes in what it held back.
  setInterval(() => held && !someoneIsInIt() && showHeld(), 5_000);
}
