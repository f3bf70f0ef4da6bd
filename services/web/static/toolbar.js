// The toolbar above the films and the strip below them: one set of tools for whichever film was used last.

import { FrameStore } from "./frame.js";
import { listenTo } from "./gestures.js";
import { setOpacity } from "./heat.js";
import { Painter } from "./painter.js";
import { FilmView } from "./viewer.js";
import { presetsOf } from "./voi.js";

const FILM_BUTTONS = ".strip button[data-film]";
const byId = (id) => document.getElementById(id);

export class Films {
  constructor(say) {
    this.say = say;
    this.finding = null;
    this.painter = new Painter();
    this.frames = new FrameStore({ onDrop: (url, frame) => this.drop(url, frame) });
    const announce = this.announcer();
    this.all = [...document.querySelectorAll(".stage .film")].map((figure) => {
      const onChange = (view) => this.reflect(view);
      const view = new FilmView(figure, { painter: this.painter, frames: this.frames, announce, onChange });
      listenTo(view);
      figure.addEventListener("focusin", () => this.use(view));
      return view;
    });
    this.views = this.all.filter((view) => !view.figure.classList.contains("prior"));
    this.priors = this.all.filter((view) => view.figure.classList.contains("prior"));
    this.active = this.views[0];
    this.side = false;
    this.prior = false;
    this.tool = "window";
    this.wire();
    // Settled once the films that stand on the stage are there, or have failed.
    this.ready = this.layout();
  }

  // The study's own films; what is read are these.
  get figures() {
    return this.views.map((view) => view.figure);
  }

  get view() {
    return this.active;
  }

  // Words for a screen reader: the last of a quick row of changes.
  announcer() {
    let timer = 0;
    return (text) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        byId("film-status").textContent = text;
      }, 300);
    };
  }

  drop(url, frame) {
    this.painter.forget(frame);
    for (const view of this.all) if (view.url === url) view.drop();
  }

  wire() {
    const click = (id, act) => byId(id)?.addEventListener("click", act);
    click("fit", () => this.view.fit());
    click("actual", () => this.view.actual());
    click("closer", () => this.view.zoom(1.25));
    click("farther", () => this.view.zoom(0.8));
    click("turn", () => this.view.turn(1));
    click("invert", () => this.view.invert());
    click("reset", () => this.reset());
    click("move", () => this.toggleTool("move"));
    click("ruler", () => this.toggleTool("ruler"));
    click("lens", () => this.toggleLens());
    click("side", () => this.toggleSide());
    click("prior", () => this.togglePrior());
    byId("preset").addEventListener("change", (event) => this.preset(Number(event.target.value)));
    const read = () => {
      const [centre, width] = [byId("centre").valueAsNumber, byId("width").valueAsNumber];
      const used = this.view.windowInUse;
      if (used && Number.isFinite(centre) && width >= 1) this.view.setWindow({ ...used, centre, width });
    };
    byId("centre").addEventListener("change", read);
    byId("width").addEventListener("change", read);
    byId("opacity")?.addEventListener("input", () => this.setOpacity(this.opacity));
    for (const button of document.querySelectorAll(FILM_BUTTONS)) {
      button.addEventListener("click", () => this.choose(button.dataset.film));
    }
  }

  get opacity() {
    return Number(byId("opacity")?.value ?? 60) / 100;
  }

  setOpacity(share) {
    const slider = byId("opacity");
    if (slider) slider.value = Math.round(share * 100);
    for (const view of this.views) setOpacity(view, this.opacity);
  }

  // The toolbar shows what the film in use has.
  reflect(view) {
    if (view !== this.active) return;
    byId("invert").setAttribute("aria-pressed", String(view.inverted));
    const used = view.windowInUse;
    for (const id of ["centre", "width", "preset"]) byId(id).disabled = !used;
    if (!used) return;
    byId("centre").value = Math.round(used.centre);
    byId("width").value = Math.round(used.width);
    const presets = presetsOf(view.frame);
    const chosen = presets.findIndex(({ window }) => JSON.stringify(window) === JSON.stringify(view.window));
    const names = [...presets.map(({ name }) => name), "Own window"];
    const list = byId("preset");
    if (list.dataset.names !== names.join("|")) {
      list.dataset.names = names.join("|");
      list.replaceChildren(...names.map((name, at) => new Option(name, String(at))));
    }
    list.value = String(chosen < 0 ? names.length - 1 : chosen);
  }

  preset(number) {
    const { view } = this;
    const found = view.frame && presetsOf(view.frame)[number];
    if (found) view.setWindow(found.window);
  }

  use(view) {
    this.active = view;
    this.reflect(view);
    for (const button of document.querySelectorAll(FILM_BUTTONS)) {
      button.setAttribute("aria-pressed", String(button.dataset.film === view.figure.dataset.uid));
    }
  }

  choose(uid) {
    const view = this.all.find(({ figure }) => figure.dataset.uid === uid);
    if (!view) return;
    this.prior = this.priors.includes(view);
    if (!this.prior) this.side = false;
    this.use(view);
    this.layout();
  }

  reset() {
    this.view.reset();
    this.setTool("window");
    for (const view of this.all) view.lens.toggle(false);
    this.reflectTools();
  }

  toggleTool(tool) {
    this.setTool(this.tool === tool ? "window" : tool);
  }

  setTool(tool) {
    this.tool = tool;
    for (const view of this.all) {
      view.tool = tool;
      view.ruler.end();
      view.draw();
    }
    if (tool === "ruler") {
      this.view.ruler.begin();
      this.view.announce("Ruler. Drag on the film; or move the cross with the arrows and press Enter at both ends.");
      this.view.figure.focus({ preventScroll: true });
    }
    this.reflectTools();
  }

  toggleLens() {
    const on = !this.view.lens.on;
    for (const view of this.all) view.lens.toggle(on);
    this.view.announce(on ? "Magnifier on" : "Magnifier off");
    this.reflectTools();
  }

  reflectTools() {
    for (const tool of ["move", "ruler"]) byId(tool).setAttribute("aria-pressed", String(this.tool === tool));
    byId("lens").setAttribute("aria-pressed", String(this.view.lens.on));
  }

  toggleSide() {
    if (this.views.length < 2) return;
    this.side = !this.side;
    this.layout();
  }

  // The prior study's film beside the one in use.
  togglePrior() {
    if (!this.priors.length) {
      this.say("There is no earlier study of this patient here.");
      return;
    }
    this.prior = !this.prior;
    if (!this.prior && this.priors.includes(this.active)) this.use(this.views[0]);
    this.layout();
  }

  // Next film of the study, or the first again.
  turn() {
    const around = this.prior ? [...this.views, ...this.priors] : this.views;
    if (around.length < 2) return;
    this.use(around[(around.indexOf(this.active) + 1) % around.length]);
    this.layout();
  }

  // The prior that stands beside: the one chosen, else the one of the same view.
  beside() {
    if (this.priors.includes(this.active)) this.lastPrior = this.active;
    const same = this.priors.find(({ figure }) => figure.dataset.view === this.own().figure.dataset.view);
    return this.lastPrior ?? same ?? this.priors[0];
  }

  own() {
    if (this.views.includes(this.active)) this.lastOwn = this.active;
    return this.lastOwn ?? this.views[0];
  }

  layout() {
    const shown = new Set(this.side ? this.views : [this.own()]);
    if (this.prior) shown.add(this.beside());
    for (const view of this.all) view.figure.classList.toggle("shown", shown.has(view));
    byId("side")?.setAttribute("aria-pressed", String(this.side));
    byId("prior")?.setAttribute("aria-pressed", String(this.prior));
    this.frames.pin([...shown].map((view) => view.url));
    for (const view of shown) view.draw();
    if (this.finding) this.showHeat(this.finding);
    return Promise.all([...shown].map((view) => view.load()));
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
    const shown = this.views.filter((view) => view.figure.classList.contains("shown"));
    const faults = await Promise.all(shown.map((view) => view.showHeat(finding, this.opacity)));
    const fault = faults.find((text) => text);
    if (fault) this.say(fault);
  }
}
