// Fetch the films of the study that comes next, so that its first pixels are there at once. Pixels only: no answer and
// no heat map of a study is asked for before it is opened, so a blind one stays blind.

import { nextUnread } from "./next.js";

// A film above this would push others out of the browser's cache; it is fetched when its study is opened.
const MOST_PIXELS = 20_000_000;
const MOST_FILMS = 4;
const AGAIN_MS = 20_000;

// What the browser is to hold of `films`: first pixels first.
export function wanted(uid, films) {
  const near = films.slice(0, MOST_FILMS);
  const base = (film) => `/v1/studies/${uid}/films/${film.uid}`;
  return [
    ...near.flatMap((film) => [`${base(film)}/preview.png`, `${base(film)}/thumbnail.png`]),
    ...near.filter(({ width, height }) => width * height <= MOST_PIXELS).map((film) => `${base(film)}/frame`),
  ];
}

// Look now, and again from time to time: a more urgent study may have come. Stops when the page goes.
export function preloadNext(current, { ask = fetch, next = nextUnread } = {}) {
  const done = new Set();
  async function look() {
    try {
      const study = document.hidden ? null : await next(current);
      if (study && !done.has(study.uid)) {
        const answer = await ask(`/v1/studies/${study.uid}/films`, { priority: "low" });
        const { films } = answer.ok ? await answer.json() : { films: [] };
        for (const url of wanted(study.uid, films)) {
          const got = await ask(url, { priority: "low" });
          // To the end, or the browser does not keep it.
          await got.arrayBuffer();
        }
        done.add(study.uid);
        performance.mark("hilum:preloaded", { detail: study.uid });
      }
    } catch {
      // The server is away, or the page is going: nothing is lost but some milliseconds.
    }
    setTimeout(look, AGAIN_MS);
  }
  return look();
}
