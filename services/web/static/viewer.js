// One film on its stage: fit, zoom by wheel, pan, window by drag, invert, and a heat map over the film's whole frame.

import { clamp, fitted, transfer, zoomed } from "./geometry.js";

const SVG = "http://www.w3.org/2000/svg";
let filters = 0;

// A window is a linear map of grey: an SVG filter does it on the graphics card and needs no inline style.
function makeFilter() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("width", "0");
  svg.setAttribute("height", "0");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "visually-hidden");
  const filter = document.createElementNS(SVG, "filter");
  filter.id = `window-${(filters += 1)}`;
  filter.setAttribute("color-interpolation-filters", "sRGB");
  const component = document.createElementNS(SVG, "feComponentTransfer");
  const channels = ["R", "G", "B"].map((channel) => {
    const part = document.createElementNS(SVG, `feFunc${channel}`);
    part.setAttribute("type", "linear");
    component.append(part);
    return part;
  });
  filter.append(component);
  svg.append(filter);
  return { svg, id: filter.id, channels };
}

export class FilmView {
  constructor(figure, onWindow = () => {}) {
    this.figure = figure;
    this.sheet = figure.querySelector(".sheet");
    this.image = figure.querySelector("img.picture");
    this.onWindow = onWindow;
    this.dragPans = false;
    this.size = { width: Number(figure.dataset.width), height: Number(figure.dataset.height) };
    this.filter = makeFilter();
    figure.append(this.filter.svg);
    this.reset();
    new ResizeObserver(() => this.draw()).observe(figure);
    figure.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    figure.addEventListener("pointerdown", (event) => this.drag(event));
    figure.addEventListener("dblclick", () => this.fit());
  }

  reset() {
    this.view = { scale: 1, x: 0, y: 0 };
    this.window = { centre: 0.5, width: 1, inverted: false };
    this.draw();
    this.onWindow(this);
  }

  fit() {
    this.view = { scale: 1, x: 0, y: 0 };
    this.draw();
  }

  zoom(factor, x = this.figure.clientWidth / 2, y = this.figure.clientHeight / 2) {
    this.view = zoomed(this.view, factor, x, y);
    this.draw();
  }

  pan(dx, dy) {
    if (this.view.scale === 1) return;
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.draw();
  }

  setWindow(centre, width) {
    this.window = { ...this.window, centre: clamp(centre, 0, 1), width: clamp(width, 0.05, 2) };
    this.draw();
    this.onWindow(this);
  }

  invert() {
    this.window = { ...this.window, inverted: !this.window.inverted };
    this.draw();
    this.onWindow(this);
  }

  draw() {
    const frame = fitted(this.size, { width: this.figure.clientWidth, height: this.figure.clientHeight });
    const { scale, x, y } = this.view;
    const style = this.sheet.style;
    style.inset = "auto";
    style.left = `${frame.left}px`;
    style.top = `${frame.top}px`;
    style.width = `${frame.width}px`;
    style.height = `${frame.height}px`;
    // The sheet's own corner is the origin, the view's is the stage's: shift by where the frame begins.
    style.transform = `translate(${x + frame.left * (scale - 1)}px, ${y + frame.top * (scale - 1)}px) scale(${scale})`;
    const { slope, intercept } = transfer(this.window);
    for (const part of this.filter.channels) {
      part.setAttribute("slope", slope.toFixed(4));
      part.setAttribute("intercept", intercept.toFixed(4));
    }
    const plain = slope === 1 && intercept === 0;
    this.image.style.filter = plain ? "none" : `url("#${this.filter.id}")`;
    this.figure.classList.toggle("panning", this.dragPans);
  }

  wheel(event) {
    event.preventDefault();
    const box = this.figure.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top);
  }

  drag(start) {
    if (start.button > 1) return;
    start.preventDefault();
    this.figure.focus({ preventScroll: true });
    const pans = this.dragPans || start.shiftKey || start.button === 1;
    const before = { ...this.window };
    let last = start;
    this.figure.setPointerCapture(start.pointerId);
    const move = (event) => {
      if (pans) this.pan(event.clientX - last.clientX, event.clientY - last.clientY);
      else {
        // As on other workstations: right widens the window, down raises its centre (darker).
        const across = (event.clientX - start.clientX) / this.figure.clientWidth;
        const along = (event.clientY - start.clientY) / this.figure.clientHeight;
        this.setWindow(before.centre + along, before.width * Math.exp(across * 2));
      }
      last = event;
    };
    const end = () => {
      this.figure.removeEventListener("pointermove", move);
      this.figure.removeEventListener("pointerup", end);
      this.figure.removeEventListener("pointercancel", end);
    };
    this.figure.addEventListener("pointermove", move);
    this.figure.addEventListener("pointerup", end);
    this.figure.addEventListener("pointercancel", end);
  }

  // Show what influenced `finding`, or nothing for null. Resolves to "" or a sentence that says why it cannot be shown.
  async showHeat(finding, opacity) {
    let heat = this.sheet.querySelector("img.heat");
    const note = this.figure.querySelector(".heat-note");
    this.wanted = finding;
    heat?.remove();
    note.hidden = true;
    if (!finding) return "";
    const answer = await fetch(`${this.figure.dataset.heat}?finding=${encodeURIComponent(finding)}`).catch(() => null);
    if (!answer?.ok) {
      const problem = await answer?.json().catch(() => null);
      return problem?.detail ?? "The heat map can't be made now.";
    }
    const picture = URL.createObjectURL(await answer.blob());
    if (this.wanted !== finding) return "";
    this.sheet.querySelector("img.heat")?.remove();
    heat = document.createElement("img");
    heat.className = "heat";
    heat.alt = `Influence on ${finding}`;
    heat.style.opacity = opacity;
    heat.addEventListener("load", () => URL.revokeObjectURL(picture));
    heat.src = picture;
    this.sheet.append(heat);
    note.textContent = `Influence on ${finding}, not location`;
    note.hidden = false;
    return "";
  }

  setOpacity(opacity) {
    const heat = this.sheet.querySelector("img.heat");
    if (heat) heat.style.opacity = opacity;
  }
}
