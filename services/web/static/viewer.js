// One film on its stage: place, window, and the two pictures of it. First the server's 8-bit preview, which needs no
// script; then all stored values, up to 16 bits, painted through the window that the reader chooses.

import { clamp, fitScale, inverse, kept, matrix, zoomed } from "./geometry.js";
import { showHeat } from "./heat.js";
import { Lens } from "./lens.js";
import { aspectOf, edges, planeOf } from "./marks.js";
import { Ruler } from "./ruler.js";
import { tableOf } from "./voi.js";

const MOST_SCALE = 16;
const SLOW_MS = 700;
const ON_ITS_WAY = "The film is on its way …";

export class FilmView {
  constructor(figure, { painter, frames, announce = () => {}, onChange = () => {} }) {
    Object.assign(this, { figure, painter, frames, announce, onChange });
    this.url = figure.dataset.frame;
    this.size = { width: Number(figure.dataset.width), height: Number(figure.dataset.height), aspect: 1 };
    this.sheets = [...figure.querySelectorAll(".sheet")];
    this.over = figure.querySelector(".sheet.over");
    this.canvas = figure.querySelector("canvas.pixels");
    this.readout = figure.querySelector(".readout");
    this.note = figure.querySelector(".film-note");
    this.frame = null;
    this.tool = "window";
    this.window = null;
    this.inverted = false;
    this.place = { scale: null, x: 0, y: 0, turn: 0 };
    this.ruler = new Ruler(this);
    this.lens = new Lens(this);
    this.picture = figure.querySelector("img.picture");
    this.picture.addEventListener("error", () => this.onPictureError());
    this.picture.addEventListener("load", () => this.note.textContent === ON_ITS_WAY && this.setNote(""));
    new ResizeObserver(() => this.draw()).observe(figure);
    // A screen of another density, or the browser's own zoom.
    addEventListener("resize", () => this.draw());
    this.draw();
  }

  get stage() {
    return { width: this.figure.clientWidth, height: this.figure.clientHeight };
  }

  get scale() {
    return this.place.scale ?? fitScale(this.size, this.stage, this.place.turn);
  }

  get shown() {
    return this.stage.width > 0;
  }

  get matrix() {
    return matrix(this.size, this.stage, { ...this.place, scale: this.scale }, devicePixelRatio || 1);
  }

  // The window that is applied, also where it is the film's own.
  get windowInUse() {
    return this.window ?? this.frame?.window ?? null;
  }

  // Fetch the stored values, once; a failure stays on the film with its reason, and the preview stays in sight.
  async load() {
    if (this.frame || this.loading) return;
    this.loading = true;
    this.setNote("");
    // A black stage without a word looks like a black film.
    const slow = setTimeout(() => this.picture.complete || this.setNote(ON_ITS_WAY), SLOW_MS);
    try {
      this.frame = await this.frames.get(this.url);
      this.size.aspect = aspectOf(this.frame.spacing);
      this.setNote("");
      this.changed();
      performance.mark("hilum:frame", { detail: this.figure.dataset.uid });
    } catch (error) {
      this.setNote(`Only a small 8-bit picture is shown: ${error.message}.`, true);
    } finally {
      clearTimeout(slow);
      this.loading = false;
    }
  }

  drop() {
    this.frame = null;
    this.table = null;
    this.canvas.hidden = true;
    this.canvas.width = this.canvas.height = 1;
  }

  onPictureError() {
    if (!this.frame) this.setNote("The film can't be shown: its picture did not come. It may be damaged in the store.", true);
  }

  setNote(text, again = false) {
    this.note.hidden = !text;
    this.note.replaceChildren(text);
    if (!again) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Try again";
    button.addEventListener("click", () => this.load());
    this.note.append(" ", button);
    this.announce(text);
  }

  reset() {
    this.place = { scale: null, x: 0, y: 0, turn: 0 };
    this.window = null;
    this.inverted = false;
    this.ruler.clear();
    this.changed("Reset");
  }

  fit() {
    this.place = { ...this.place, scale: null, x: 0, y: 0 };
    this.changed("The whole film");
  }

  // One film pixel on one screen pixel.
  actual() {
    this.zoom(1 / (devicePixelRatio || 1) / this.scale);
    this.announce("One to one: each film pixel is a screen pixel");
  }

  zoom(factor, x = this.stage.width / 2, y = this.stage.height / 2) {
    const least = Math.min(fitScale(this.size, this.stage, this.place.turn), 1 / (devicePixelRatio || 1)) / 2;
    const now = { ...this.place, scale: this.scale };
    this.place = kept(this.size, this.stage, zoomed(now, factor, x, y, this.stage, { least, most: MOST_SCALE }));
    this.changed(`Zoom ${this.percent}`);
  }

  // Screen pixels per film pixel.
  get percent() {
    return `${Math.round(this.scale * (devicePixelRatio || 1) * 100)} %`;
  }

  pan(dx, dy) {
    const now = { ...this.place, scale: this.scale };
    this.place = kept(this.size, this.stage, { ...now, x: now.x + dx, y: now.y + dy });
    this.draw();
  }

  turn(quarters) {
    const turn = (this.place.turn + quarters + 4) % 4;
    this.place = { scale: null, x: 0, y: 0, turn };
    this.changed(turn ? `Turned by ${turn * 90} degrees` : "Upright");
  }

  setWindow(window) {
    this.window = window && { ...window, width: Math.max(window.width, 1) };
    const used = this.windowInUse;
    this.changed(used && `Window centre ${Math.round(used.centre)}, width ${Math.round(used.width)}`);
  }

  // Move the window's centre by a share of the film's own width, and stretch its width.
  nudge(along, stretch) {
    if (!this.frame) return;
    const { centre, width, function: name } = this.windowInUse;
    const own = this.frame.window.width;
    // A film stored with white as its lowest value gets darker the other way.
    const step = along * own * (this.frame.inverted ? -1 : 1);
    this.setWindow({ centre: centre + step, width: clamp(width * stretch, own / 200, own * 8), function: name });
  }

  invert() {
    this.inverted = !this.inverted;
    this.changed(this.inverted ? "Inverted" : "Not inverted");
  }

  // Something that the toolbar shows has changed.
  changed(text = "") {
    this.table = this.frame ? tableOf(this.frame, this.window, this.inverted) : null;
    this.draw();
    this.onChange(this);
    if (text) this.announce(text);
  }

  draw() {
    if (!this.shown) return;
    const [a, b, c, d, e, f] = this.matrix;
    for (const sheet of this.sheets) {
      sheet.style.width = `${this.size.width}px`;
      sheet.style.height = `${this.size.height}px`;
      sheet.style.transform = `matrix(${a}, ${b}, ${c}, ${d}, ${e}, ${f})`;
    }
    this.figure.classList.toggle("ready", true);
    this.figure.dataset.tool = this.tool;
    this.ruler.draw();
    this.write();
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      this.paint();
    });
  }

  paint() {
    if (!this.frame || !this.table || !this.shown) return;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.stage.width * ratio), Math.round(this.stage.height * ratio)];
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    const onScreen = this.matrix.map((value) => value * ratio);
    this.painter.paint(this.canvas.getContext("2d"), this.frame, this.table, inverse(onScreen));
    this.canvas.hidden = false;
    this.figure.dataset.painted = this.painter.kind;
    this.lens.paint();
  }

  // The words on the film: sides, unit, window and zoom.
  write() {
    const letters = this.frame ? edges(this.frame.orientation, this.place.turn) : null;
    for (const side of ["top", "right", "bottom", "left"]) {
      this.figure.querySelector(`.side[data-at=${side}]`).textContent = letters?.[side] ?? "";
    }
    if (!this.frame) return;
    const { centre, width } = this.windowInUse;
    const turned = this.place.turn ? ` · turned ${this.place.turn * 90}°` : "";
    const inverted = this.inverted ? " · inverted" : "";
    this.readout.textContent =
      `C ${Math.round(centre)} W ${Math.round(width)} · ${this.percent}${turned}${inverted}\n` +
      `${planeOf(this.frame.spacing)}${letters ? "" : " · sides not stated"}`;
  }

  showHeat(finding, opacity) {
    return showHeat(this, finding, opacity);
  }
}
