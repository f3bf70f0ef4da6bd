// Hide or show patients' identity by a key. The server leaves it out; nothing hidden is in the page.

import { listen } from "./keys.js";

const button = document.getElementById("mask");

// A read in progress stays: only the parts that carry identity are exchanged.
async function exchange() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const [old, made] of pairs("[data-identity]", fresh)) old.replaceWith(made);
  document.title = fresh.title;
  document.body.dataset.title = fresh.body.dataset.title ?? "";
}

function pairs(selector, fresh) {
  const made = [...fresh.querySelectorAll(selector)];
  return [...document.querySelectorAll(selector)].map((old, index) => [old, made[index]]).filter(([, one]) => one);
}

async function toggle() {
  const masked = button.getAttribute("aria-pressed") !== "true";
  const answer = await fetch("/v1/mask", {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ masked }),
  }).catch(() => null);
  if (!answer?.ok) return;
  button.setAttribute("aria-pressed", String(masked));
  if (document.body.dataset.page === "study") await exchange();
  else location.reload();
}

if (button) {
  button.addEventListener("click", toggle);
  listen({ ".": { help: "Hide or show patients' identity", run: () => void toggle() } });
}
