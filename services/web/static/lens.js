// The magnifier: a round piece of the film, enlarged, that follows the pointer or stands in the middle.

import { apply, inverse } from "./geometry.js";

const TIMES = 2.5;

export class Lens {
  constructor(view) {
    this.view = view;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "lens";
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.hidden = true;
    this.at = null;
    view.figure.append(this.canvas);
    view.figure.addEventListener("pointermove", (event) => this.follow(event));
  }

  get on() {
    return !this.canvas.hidden;
  }

  toggle(on) {
    this.canvas.hidden = !on;
    this.at = null;
    this.view.draw();
  }

  follow(event) {
    if (!this.on) return;
    const box = this.view.figure.getBoundingClientRect();
    this.at = [event.clientX - box.left, event.clientY - box.top];
    this.view.draw();
  }

  paint() {
    const { view, canvas } = this;
    if (!this.on || !view.frame) return;
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = view.figure;
    const [x, y] = this.at ?? [clientWidth / 2, clientHeight / 2];
    const side = canvas.clientWidth;
    canvas.style.left = `${x - side / 2}px`;
    canvas.style.top = `${y - side / 2}px`;
    const pixels = Math.round(side * ratio);
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const [a, b, c, d] = view.matrix.map((value) => value * TIMES * ratio);
    const [filmX, filmY] = apply(inverse(view.matrix), x, y);
    const matrix = [a, b, c, d, pixels / 2 - (a * filmX + c * filmY), pixels / 2 - (b * filmX + d * filmY)];
    view.painter.paint(canvas.getContext("2d"), view.frame, view.table, inverse(matrix));
  }
}
