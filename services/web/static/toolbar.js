// The toolbar above the films and the strip below them: one set of tools for whichever film was used last.

import { FilmView } from "./viewer.js";

const FILM_BUTTONS = ".strip button:has(img)";
const byId = (id) => document.getElementById(id);

export class Films {
  constructor(say) {
    this.say = say;
    this.finding = null;
    this.figures = [...document.querySelectorAll(".stage .film")];
    this.views = this.figures.map((figure) => new FilmView(figure, (view) => this.showWindow(view)));
    this.active = 0;
    this.side = false;
    this.figures.forEach((figure, index) => {
      figure.addEventListener("focusin", () => this.use(index));
    });
    this.wire();
    this.layout();
  }

  get view() {
    return this.views[this.active];
  }

  wire() {
    byId("fit").addEventListener("click", () => this.view.fit());
    byId("closer").addEventListener("click", () => this.view.zoom(1.25));
    byId("farther").addEventListener("click", () => this.view.zoom(0.8));
    byId("invert").addEventListener("click", () => this.view.invert());
    byId("reset").addEventListener("click", () => this.view.reset());
    byId("pan").addEventListener("click", () => this.togglePan());
    byId("side")?.addEventListener("click", () => this.toggleSide());
    // Brightness lowers the window's centre, contrast narrows the window.
    const read = () => {
      const width = 2 ** (-byId("contrast").value / 50);
      this.view.setWindow(0.5 - byId("brightness").value / 200, width);
    };
    byId("brightness").addEventListener("input", read);
    byId("contrast").addEventListener("input", read);
    byId("opacity")?.addEventListener("input", () => {
      for (const view of this.views) view.setOpacity(this.opacity);
    });
    document.querySelectorAll(FILM_BUTTONS).forEach((button, index) => {
      button.addEventListener("click", () => {
        this.use(index);
        this.side = false;
        this.layout();
      });
    });
  }

  get opacity() {
    return Number(byId("opacity")?.value ?? 60) / 100;
  }

  showWindow(view) {
    if (this.views && view !== this.view) return;
    byId("invert").setAttribute("aria-pressed", String(view.window.inverted));
    byId("brightness").value = Math.round((0.5 - view.window.centre) * 200);
    byId("contrast").value = Math.round(-Math.log2(view.window.width) * 50);
  }

  use(index) {
    this.active = index;
    this.showWindow(this.view);
    document.querySelectorAll(FILM_BUTTONS).forEach((button, at) => {
      button.setAttribute("aria-pressed", String(at === index));
    });
  }

  togglePan() {
    for (const view of this.views) {
      view.dragPans = !view.dragPans;
      view.draw();
    }
    byId("pan").setAttribute("aria-pressed", String(this.view.dragPans));
  }

  toggleSide() {
    if (this.figures.length < 2) return;
    this.side = !this.side;
    this.layout();
  }

  // Next film of the study, or the first again.
  turn() {
    if (this.figures.length < 2) return;
    this.use((this.active + 1) % this.figures.length);
    this.layout();
  }

  layout() {
    this.figures.forEach((figure, index) => figure.classList.toggle("shown", this.side || index === this.active));
    byId("side")?.setAttribute("aria-pressed", String(this.side));
    if (this.finding) this.showHeat(this.finding);
  }

  // Turn the heat map of `finding` on, or off where it is already shown.
  toggleHeat(finding) {
    return this.showHeat(this.finding === finding ? null : finding);
  }

  async showHeat(finding) {
    this.finding = finding;
    for (const button of document.querySelectorAll("button[data-heat-of]")) {
      button.setAttribute("aria-pressed", String(button.dataset.heatOf === finding));
    }
    const shown = this.views.filter((_, index) => this.figures[index].classList.contains("shown"));
    const faults = await Promise.all(shown.map((view) => view.showHeat(finding, this.opacity)));
    const fault = faults.find((text) => text);
    if (fault) this.say(fault);
  }
}
