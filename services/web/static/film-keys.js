// The film's shortcuts: what each key does, and the words by which the help says so. There is no other list.

const STEP = 40;

export function filmKeys(films) {
  const act = (help, run) => ({ help, run });
  const again = (help, run) => ({ help, run, repeats: true });
  const preset = (number, name) => act(`Window: ${name}`, () => films.preset(number));
  const onFilm = () => document.activeElement?.classList.contains("film");
  // On a film an arrow moves the film, or with the ruler its cross; elsewhere it is the page's.
  const arrow = (dx, dy) => (event) => {
    if (!onFilm()) return false;
    const { view } = films;
    const step = event.shiftKey ? 1 : 0.25;
    if (view.ruler.cursor) view.ruler.move(-dx * step, -dy * step);
    else view.pan(dx, dy);
    return true;
  };
  return {
    keys: {
      i: act("Invert", () => films.view.invert()),
      f: act("Fit: the whole film", () => films.view.fit()),
      z: act("1:1, a film pixel on a screen pixel", () => films.view.actual()),
      "+": again("Zoom in", () => films.view.zoom(1.25)),
      "=": again("", () => films.view.zoom(1.25)),
      "-": again("Zoom out", () => films.view.zoom(0.8)),
      o: act("Turn by 90°", () => films.view.turn(1)),
      O: act("Turn back by 90°", () => films.view.turn(-1)),
      d: again("Darker", () => films.view.nudge(0.04, 1)),
      D: again("Brighter", () => films.view.nudge(-0.04, 1)),
      "<": again("More contrast", () => films.view.nudge(0, 0.9)),
      ">": again("Less contrast", () => films.view.nudge(0, 1 / 0.9)),
      4: preset(0, "as stored"),
      5: preset(1, "lungs"),
      6: preset(2, "mediastinum"),
      7: preset(3, "high contrast"),
      8: preset(4, "whole range"),
      g: act("Magnifier", () => films.toggleLens()),
      l: act("Ruler: drag, or arrows and Enter at both ends (Shift for larger steps)", () => films.toggleTool("ruler")),
      Enter: act("", () => (onFilm() && films.view.ruler.cursor ? films.view.ruler.place() : false)),
      Delete: act("Take the last ruler away", () => films.view.ruler.undo()),
      m: act("Dragging moves the film instead of changing the window", () => films.toggleTool("move")),
      Escape: act("Back to windowing; magnifier off", () => {
        if (films.view.lens.on) films.toggleLens();
        films.setTool("window");
      }),
      v: act("Next film", () => films.turn()),
      c: act("All films of the study side by side", () => films.toggleSide()),
      b: act("The earlier study of this patient beside it", () => films.togglePrior()),
      "[": again("Fainter heat map", () => films.setOpacity(films.opacity - 0.1)),
      "]": again("Stronger heat map", () => films.setOpacity(films.opacity + 0.1)),
      r: act("Reset window, place, rulers and tools", () => films.reset()),
    },
    arrows: {
      ArrowUp: arrow(0, STEP),
      ArrowDown: arrow(0, -STEP),
      ArrowLeft: arrow(STEP, 0),
      ArrowRight: arrow(-STEP, 0),
    },
  };
}

export const FILM_GESTURES = [
  ["drag", "Window: right widens it, down raises its centre"],
  ["Shift + drag", "Move the film (also with the middle button)"],
  ["wheel", "Zoom where the pointer is"],
  ["double click", "Fit: the whole film"],
];
