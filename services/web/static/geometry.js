// The arithmetic of the stage: where the film lies, how zoom keeps a point in place, how pixels and stage points map.
// A place is {scale, x, y, turn}: CSS pixels per film pixel, the film's centre from the stage's, quarter turns clockwise.
// A film is {width, height, aspect}; aspect is a pixel's height over its width. Matrices are [a, b, c, d, e, f] as in CSS.

const COS = [1, 0, -1, 0];
const SIN = [0, 1, 0, -1];

export function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

// Width and height of the film as it stands on the stage at scale 1.
export function extent(film, turn) {
  const tall = film.height * film.aspect;
  return turn % 2 ? { width: tall, height: film.width } : { width: film.width, height: tall };
}

// The largest scale at which the whole film is on the stage.
export function fitScale(film, stage, turn) {
  const { width, height } = extent(film, turn);
  return Math.min(stage.width / width, stage.height / height);
}

// From film pixels to CSS pixels of the stage. The offset lies on whole screen pixels, so that 1:1 is exact.
export function matrix(film, stage, place, ratio = 1) {
  const down = place.scale * film.aspect;
  const a = COS[place.turn] * place.scale;
  const b = SIN[place.turn] * place.scale;
  const c = -SIN[place.turn] * down;
  const d = COS[place.turn] * down;
  const snap = (value) => Math.round(value * ratio) / ratio;
  const e = snap(stage.width / 2 + place.x - (a * film.width + c * film.height) / 2);
  const f = snap(stage.height / 2 + place.y - (b * film.width + d * film.height) / 2);
  return [a, b, c, d, e, f];
}

export function apply([a, b, c, d, e, f], x, y) {
  return [a * x + c * y + e, b * x + d * y + f];
}

export function inverse([a, b, c, d, e, f]) {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

// Zoom by `factor` so that the stage point (x, y) keeps showing the same spot of the film.
export function zoomed(place, factor, x, y, stage, limits) {
  const scale = clamp(place.scale * factor, limits.least, limits.most);
  const ratio = scale / place.scale;
  const [dx, dy] = [x - stage.width / 2, y - stage.height / 2];
  return { ...place, scale, x: dx - (dx - place.x) * ratio, y: dy - (dy - place.y) * ratio };
}

// A film can't be lost beside the stage: `rest` pixels of it stay in sight.
export function kept(film, stage, place, rest = 60) {
  const size = extent(film, place.turn);
  const mostX = Math.max((size.width * place.scale + stage.width) / 2 - rest, 0);
  const mostY = Math.max((size.height * place.scale + stage.height) / 2 - rest, 0);
  return { ...place, x: clamp(place.x, -mostX, mostX), y: clamp(place.y, -mostY, mostY) };
}

// How many samples a side go into one screen pixel that covers `covered` film pixels; 1 stands for interpolation.
export function samplesFor(covered) {
  return covered <= 1.001 ? 1 : clamp(Math.ceil(covered - 0.001), 2, 8);
}
