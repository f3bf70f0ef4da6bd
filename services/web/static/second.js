// A lead asks for a second read of a study that is read.

export async function askForSecondRead(uid, tell) {
  const answer = await fetch(`/v1/studies/${uid}/second-read`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({}),
  }).catch(() => null);
  const body = await answer?.json().catch(() => ({}));
  if (answer?.ok) location.assign(`/studies/${uid}`);
  else tell(body?.detail ?? "The server does not answer: nobody was asked.", "bad");
}
