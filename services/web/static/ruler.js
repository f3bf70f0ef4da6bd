// Rulers on a film: two points each, by dragging or by keyboard, with a length that says what it is worth.

import { apply, clamp, inverse } from "./geometry.js";
import { lengthText } from "./marks.js";

const SVG = "http://www.w3.org/2000/svg";

function part(name, className, attributes) {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", className);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Ruler {
  constructor(view) {
    this.view = view;
    this.svg = part("svg", "rulers", { "aria-hidden": "true" });
    view.figure.append(this.svg);
    this.lines = [];
    this.from = null;
    this.cursor = null;
  }

  get spacing() {
    return this.view.frame?.spacing ?? null;
  }

  text({ from, to }) {
    return lengthText(from, to, this.spacing);
  }

  toFilm(x, y) {
    const { width, height } = this.view.size;
    const [across, down] = apply(inverse(this.view.matrix), x, y);
    return [clamp(across, 0, width), clamp(down, 0, height)];
  }

  // A line by dragging, in stage points. One that is hardly a line is none.
  drag(start, end, done) {
    const line = { from: this.toFilm(...start), to: this.toFilm(...end) };
    this.draft = done ? null : line;
    const long = Math.hypot(end[0] - start[0], end[1] - start[1]) >= 4;
    if (done && long) this.add(line);
    this.draw();
  }

  add(line) {
    this.lines.push(line);
    this.view.announce(`Ruler: ${this.text(line)}`);
  }

  // By keyboard: a cross that the arrows move; the first `place` sets one end, the second the other.
  begin() {
    const { clientWidth, clientHeight } = this.view.figure;
    this.cursor = this.toFilm(clientWidth / 2, clientHeight / 2);
    this.from = null;
    this.draw();
  }

  end() {
    this.cursor = null;
    this.from = null;
    this.draft = null;
    this.draw();
  }

  // `dx` and `dy` are steps on the stage, so that an arrow moves its own way on a turned film too.
  move(dx, dy) {
    if (!this.cursor) return;
    const [x, y] = apply(this.view.matrix, ...this.cursor);
    this.cursor = this.toFilm(x + dx, y + dy);
    if (this.from) this.view.announce(this.text({ from: this.from, to: this.cursor }));
    this.draw();
  }

  place() {
    if (!this.cursor) return;
    if (this.from) {
      this.add({ from: this.from, to: this.cursor });
      this.from = null;
    } else {
      this.from = this.cursor;
      this.view.announce("First end set. Move with the arrows, Enter sets the second.");
    }
    this.draw();
  }

  undo() {
    if (this.from) this.from = null;
    else if (this.lines.pop()) this.view.announce("The last ruler is taken away.");
    this.draw();
  }

  clear() {
    this.lines = [];
    this.from = null;
    this.draw();
  }

  draw() {
    const parts = [];
    const at = (point) => apply(this.view.matrix, ...point);
    const drafts = [this.draft, this.from && this.cursor && { from: this.from, to: this.cursor }].filter(Boolean);
    for (const line of [...this.lines, ...drafts]) {
      const [x1, y1] = at(line.from);
      const [x2, y2] = at(line.to);
      for (const kind of ["under", "over"]) parts.push(part("line", kind, { x1, y1, x2, y2 }));
      for (const [cx, cy] of [[x1, y1], [x2, y2]]) parts.push(part("circle", "end", { cx, cy, r: 4 }));
      const label = part("text", "length", { x: (x1 + x2) / 2 + 8, y: (y1 + y2) / 2 - 8 });
      label.textContent = this.text(line);
      parts.push(label);
    }
    if (this.cursor) {
      const [x, y] = at(this.cursor);
      for (const kind of ["under", "over"]) {
        parts.push(part("line", kind, { x1: x - 12, y1: y, x2: x + 12, y2: y }));
        parts.push(part("line", kind, { x1: x, y1: y - 12, x2: x, y2: y + 12 }));
      }
    }
    this.svg.replaceChildren(...parts);
  }
}
