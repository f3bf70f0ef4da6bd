// The view of one finding: try one film and see what the release says of this finding alone.

import { sendFilm } from "./send.js";

const finding = document.body.dataset.finding;
const byId = (id) => document.getElementById(id);
const TRIES = 60;

function show(text, className = "") {
  byId("trial-text").textContent = text;
  byId("trial-text").className = className;
}

// Ask for the study until it is scored, then take the server's own words for it.
async function answer(uid) {
  for (let n = 0; n < TRIES; n += 1) {
    const page = await fetch(`/findings/${encodeURIComponent(finding)}/studies/${encodeURIComponent(uid)}`);
    if (page.ok && page.headers.get("X-Hilum-Waiting") !== "yes") {
      const part = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("trial-answer");
      byId("trial-answer").replaceWith(document.importNode(part, true));
      show("");
      return;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
  }
  show("The film is stored and still waits for its score; it is in the worklist.");
}

byId("trial-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  byId("trial-answer").replaceChildren();
  show("Sending …");
  const outcome = await sendFilm(file, {}, () => {});
  if (!outcome.page || outcome.state === "refused") {
    show(outcome.words, "bad");
    return;
  }
  show("Stored. Waiting for the score …");
  await answer(outcome.page.split("/").pop());
});
byId("trial-button").addEventListener("click", () => byId("trial-file").click());
