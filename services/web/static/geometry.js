// The arithmetic of the film view: where the frame lies, how zoom keeps a point in place, what a window does to grey.

// The largest rectangle of the film's shape inside the stage, centred.
export function fitted(film, stage) {
  const scale = Math.min(stage.width / film.width, stage.height / film.height);
  const width = film.width * scale;
  const height = film.height * scale;
  return { left: (stage.width - width) / 2, top: (stage.height - height) / 2, width, height };
}

// Zoom by `factor` so that the stage point (x, y) keeps showing the same spot of the film.
export function zoomed(view, factor, x, y, limits = { least: 1, most: 20 }) {
  const scale = Math.min(Math.max(view.scale * factor, limits.least), limits.most);
  const ratio = scale / view.scale;
  const moved = { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
  return scale === 1 ? { scale, x: 0, y: 0 } : moved;
}

// Window as slope and intercept of grey 0..1: black at centre - width / 2, white at centre + width / 2.
export function transfer({ centre, width, inverted }) {
  const slope = 1 / width;
  const intercept = 0.5 - centre / width;
  return inverted ? { slope: -slope, intercept: 1 - intercept } : { slope, intercept };
}

export function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
