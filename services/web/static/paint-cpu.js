// Paint a film without a graphics card: the same arithmetic as paint-gl.js, on the processor, for the same greys.

import { samplesFor } from "./geometry.js";

export class CpuPainter {
  constructor() {
    this.kind = "canvas";
    this.lost = false;
  }

  takes() {
    return true;
  }

  forget() {}

  // `back` leads from screen pixels of `target` to film pixels.
  paint(target, frame, table, back) {
    const { width, height } = target.canvas;
    const picture = target.createImageData(width, height);
    render(new Uint32Array(picture.data.buffer), width, height, frame, table, back);
    target.putImageData(picture, 0, 0);
  }
}

export function render(out, width, height, frame, table, [ax, ay, bx, by, ox, oy]) {
  const samples = samplesFor(Math.max(Math.hypot(ax, ay), Math.hypot(bx, by)));
  const sampled = samples === 1 ? interpolated : averaged(samples, ax, ay, bx, by);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const x = ox + (column + 0.5) * ax + (row + 0.5) * bx;
      const y = oy + (column + 0.5) * ay + (row + 0.5) * by;
      const inside = x >= 0 && y >= 0 && x <= frame.width && y <= frame.height;
      const grey = inside ? Math.round(sampled(frame, table, x, y)) : 0;
      out[row * width + column] = 0xff000000 | (grey * 0x010101);
    }
  }
}

function interpolated({ values, width, height }, table, x, y) {
  const left = Math.floor(x - 0.5);
  const top = Math.floor(y - 0.5);
  const [partX, partY] = [x - 0.5 - left, y - 0.5 - top];
  const x0 = left < 0 ? 0 : left;
  const y0 = (top < 0 ? 0 : top) * width;
  const x1 = left + 1 >= width ? width - 1 : left + 1;
  const y1 = (top + 1 >= height ? height - 1 : top + 1) * width;
  const above = table[values[y0 + x0]] * (1 - partX) + table[values[y0 + x1]] * partX;
  const below = table[values[y1 + x0]] * (1 - partX) + table[values[y1 + x1]] * partX;
  return above * (1 - partY) + below * partY;
}

function averaged(samples, ax, ay, bx, by) {
  const count = samples * samples;
  const dx = new Float64Array(count);
  const dy = new Float64Array(count);
  for (let at = 0; at < count; at += 1) {
    const i = ((at % samples) + 0.5) / samples - 0.5;
    const j = (Math.floor(at / samples) + 0.5) / samples - 0.5;
    dx[at] = i * ax + j * bx;
    dy[at] = i * ay + j * by;
  }
  return ({ values, width, height }, table, x, y) => {
    let sum = 0;
    for (let at = 0; at < count; at += 1) {
      const column = Math.min(Math.max(Math.floor(x + dx[at]), 0), width - 1);
      const line = Math.min(Math.max(Math.floor(y + dy[at]), 0), height - 1);
      sum += table[values[line * width + column]];
    }
    return sum / count;
  };
}
