// What is written on a film: which side is which, that it is lossy, where its millimetres hold. Never guessed.

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };

// The letters at the top, right, bottom and left after `turn` quarter turns clockwise; null where the header is silent.
export function edges(orientation, turn) {
  if (!orientation) return null;
  const [right, bottom] = orientation;
  const other = (letters) => [...letters].map((letter) => OPPOSITE[letter]).join("");
  const around = [other(bottom), right, bottom, other(right)];
  const at = (index) => around[(index - turn + 4) % 4];
  return { top: at(0), right: at(1), bottom: at(2), left: at(3) };
}

const PLANES = {
  calibrated: "mm, calibrated",
  magnification: "mm, by estimated magnification",
  detector: "mm at the detector",
  unstated: "mm, plane not stated",
};

// In which unit a ruler measures here, and where that holds.
export function planeOf(spacing) {
  return spacing ? PLANES[spacing.kind] : "px, uncalibrated";
}

function unitOf(spacing) {
  return spacing?.kind === "detector" ? `${PLANES.detector} (less in the patient)` : planeOf(spacing);
}

// Length of a line between two points in film pixels, in words.
export function lengthText(from, to, spacing) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  if (!spacing) return `${Math.hypot(dx, dy).toFixed(0)} ${unitOf(null)}`;
  return `${Math.hypot(dx * spacing.column_mm, dy * spacing.row_mm).toFixed(1)} ${unitOf(spacing)}`;
}

// A pixel's height over its width.
export function aspectOf(spacing) {
  return spacing ? spacing.row_mm / spacing.column_mm : 1;
}
