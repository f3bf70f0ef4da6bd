// Notice that the study on the screen is no longer the one on the server: an answer or a film came meanwhile.

const WAITING_MS = 2_000;
const SETTLED_MS = 15_000;

export function changed(shown, now) {
  return now.answer_version !== shown.answerVersion || now.film_count !== shown.filmCount;
}

export function watchStudy(uid, shown, tell) {
  async function look() {
    let pause = SETTLED_MS;
    if (!document.hidden) {
      try {
        const answer = await fetch(`/v1/studies/${uid}`, { cache: "no-store" });
        const now = answer.ok ? await answer.json() : null;
        if (now && changed(shown, now)) {
          tell(now);
          return;
        }
        if (now?.status === "waiting") pause = WAITING_MS;
      } catch {
        // The header says that the server is away.
      }
    }
    setTimeout(look, pause);
  }
  setTimeout(look, WAITING_MS);
}
