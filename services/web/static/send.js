// Send one film as one request, with progress, and say in words what became of it.

// What an answer of POST /v1/studies means for the one file that was sent.
export function outcomeOf(status, body) {
  const film = body?.films?.[0];
  const page = film?.study_uid ? `/studies/${film.study_uid}` : null;
  if (film && film.outcome !== "refused" && status < 400) {
    const words = { stored: "Stored", duplicate: "Already here", conflict: `Conflict: ${film.detail}` };
    return { state: film.outcome, words: words[film.outcome] ?? film.outcome, page };
  }
  const detail = film?.detail || body?.detail || `The server answered ${status}.`;
  if (status >= 500 || status === 408 || status === 429) return { state: "failed", words: detail, page: null };
  if (status === 409) return { state: "conflict", words: `Conflict: ${detail}`, page: page ?? studyPage(body) };
  return { state: "refused", words: `Refused: ${detail}`, page };
}

function studyPage(body) {
  return body?.study_uid ? `/studies/${body.study_uid}` : null;
}

export function sendFilm(file, fields, onProgress) {
  return new Promise((resolve) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) if (value) form.append(name, value);
    form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/studies");
    request.responseType = "text";
    request.timeout = 300_000;
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      let body = null;
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // not JSON: the status alone must do
      }
      resolve(outcomeOf(request.status, body));
    });
    for (const kind of ["error", "timeout", "abort"]) {
      request.addEventListener(kind, () => {
        resolve({ state: "failed", words: "The connection broke; nothing is lost, try again.", page: null });
      });
    }
    request.send(form);
  });
}
