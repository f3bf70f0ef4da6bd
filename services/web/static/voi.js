// From stored values to grey, as hilum/imaging/voi.py has it (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).

export function windowed(value, { centre, width, function: name }) {
  let grey;
  if (name === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - centre)) / width));
  if (name === "LINEAR_EXACT") grey = (value - centre) / width + 0.5;
  else if (width === 1) grey = value > centre - 0.5 ? 1 : 0;
  else grey = (value - (centre - 0.5)) / (width - 1) + 0.5;
  return Math.min(Math.max(grey, 0), 1);
}

// The grey 0..255 of each value that can be stored. Without a window the header's own table; padding stays black.
export function tableOf(frame, window, inverted) {
  const table = new Uint8Array(frame.table.length);
  const [first, last] = frame.padding ?? [1, 0];
  for (let at = 0; at < table.length; at += 1) {
    const stored = frame.lowest + at;
    if (stored >= first && stored <= last) continue;
    let grey = frame.table[at];
    if (window) {
      const value = frame.modality ? frame.modality[at] : stored * frame.slope + frame.intercept;
      const shown = windowed(value, window);
      grey = Math.round((frame.inverted ? 1 - shown : shown) * 255);
    }
    table[at] = inverted ? 255 - grey : grey;
  }
  return table;
}

function valueAt(frame, at) {
  return frame.modality ? frame.modality[at] : (frame.lowest + at) * frame.slope + frame.intercept;
}

const MOST_SAMPLES = 1_000_000;

// The value under which `share` of the film's pixels lie, from dark to bright as the film is stored; what is all black
// or all white as stored (collimator, markers) does not count. Null where nothing is left.
export function quantilesOf(frame, shares) {
  const counts = new Uint32Array(frame.table.length);
  const step = Math.max(Math.floor(frame.values.length / MOST_SAMPLES), 1);
  let total = 0;
  for (let at = 0; at < frame.values.length; at += step) {
    const value = frame.values[at];
    const grey = frame.table[value];
    if (grey === 0 || grey === 255) continue;
    counts[value] += 1;
    total += 1;
  }
  if (!total) return null;
  const order = frame.inverted ? [...counts.keys()].reverse() : [...counts.keys()];
  return shares.map((share) => {
    let seen = 0;
    const found = order.find((at) => {
      seen += counts[at];
      return seen >= share * total;
    });
    return valueAt(frame, found ?? order.at(-1));
  });
}

const PARTS = [["Lungs", 0.01, 0.6], ["Mediastinum", 0.4, 0.99], ["High contrast", 0.08, 0.92]];

// The windows to choose from, the same names on every film. They are made of the film's own pixels, for no value means
// the same on two machines: "lungs" opens the darker part of them, "mediastinum" the brighter.
export function presetsOf(frame) {
  if (frame.presets) return frame.presets;
  const from = (a, b) => ({ centre: Math.round((a + b) / 2), width: Math.max(Math.round(Math.abs(b - a)), 1), function: "LINEAR_EXACT" });
  const ends = [valueAt(frame, 0), valueAt(frame, frame.table.length - 1)];
  const shares = quantilesOf(frame, PARTS.flatMap(([, low, high]) => [low, high]));
  const parts = PARTS.map(([name], at) => ({ name, window: shares ? from(shares[2 * at], shares[2 * at + 1]) : from(...ends) }));
  frame.presets = [
    { name: "As stored", window: null },
    ...parts,
    { name: "Whole range", window: from(...ends) },
    ...frame.windows.slice(1).map(({ name, ...window }) => ({ name, window })),
  ];
  return frame.presets;
}
