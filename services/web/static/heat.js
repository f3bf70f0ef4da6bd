// What influenced a finding's score, laid over the film: influence, not location.

// Show the heat map of `finding` on `view`, or nothing for null. Resolves to "" or a sentence that says why not.
export async function showHeat(view, finding, opacity) {
  const { figure, over } = view;
  const note = figure.querySelector(".heat-note");
  view.heatOf = finding;
  over.querySelector("img.heat")?.remove();
  note.hidden = true;
  if (!finding || !figure.dataset.heat) return "";
  const answer = await fetch(`${figure.dataset.heat}?finding=${encodeURIComponent(finding)}`).catch(() => null);
  if (!answer?.ok) {
    const problem = await answer?.json().catch(() => null);
    return problem?.detail ?? "The heat map can't be made now.";
  }
  const picture = URL.createObjectURL(await answer.blob());
  if (view.heatOf !== finding) {
    URL.revokeObjectURL(picture);
    return "";
  }
  over.querySelector("img.heat")?.remove();
  const heat = document.createElement("img");
  heat.className = "heat";
  heat.alt = `Influence on ${finding}, not location`;
  heat.style.opacity = opacity;
  heat.addEventListener("load", () => URL.revokeObjectURL(picture));
  heat.src = picture;
  over.append(heat);
  note.textContent = `Influence on ${finding}, not location`;
  note.hidden = false;
  return "";
}

export function setOpacity(view, opacity) {
  const heat = view.over.querySelector("img.heat");
  if (heat) heat.style.opacity = opacity;
}
