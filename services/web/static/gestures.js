// What a pointer does on a film: drag for the tool in use, wheel to zoom where it points, double click to fit.

export function listenTo(view) {
  const { figure } = view;
  const point = (event) => {
    const box = figure.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  figure.addEventListener("wheel", (event) => {
    event.preventDefault();
    // Lines and pages as pixels, so that every mouse zooms alike.
    const pixels = event.deltaY * [1, 18, 400][event.deltaMode];
    view.zoom(Math.exp(-pixels * 0.0015), ...point(event));
  }, { passive: false });
  figure.addEventListener("dblclick", () => view.tool !== "ruler" && view.fit());
  figure.addEventListener("pointerdown", (start) => {
    if (start.button > 1 || start.target.closest("button")) return;
    start.preventDefault();
    figure.focus({ preventScroll: true });
    figure.setPointerCapture(start.pointerId);
    const moves = start.shiftKey || start.button === 1;
    const act = drags[moves ? "move" : view.tool](view, start, point);
    const move = (event) => act(event, false);
    const end = (event) => {
      for (const [kind, listener] of listeners) figure.removeEventListener(kind, listener);
      act(event, true);
    };
    const listeners = [["pointermove", move], ["pointerup", end], ["pointercancel", end]];
    for (const [kind, listener] of listeners) figure.addEventListener(kind, listener);
  });
}

const drags = {
  // As on other workstations: right widens the window, down raises its centre.
  window(view, start) {
    const before = view.windowInUse;
    const own = view.frame?.window.width;
    return (event, done) => {
      const across = (event.clientX - start.clientX) / view.stage.width;
      const along = (event.clientY - start.clientY) / view.stage.height;
      if (!before || done || (!across && !along)) return;
      const down = view.frame?.inverted ? -along : along;
      view.setWindow({ ...before, centre: before.centre + down * own, width: before.width * Math.exp(across * 2) });
    };
  },
  move(view, start) {
    let last = start;
    return (event) => {
      view.pan(event.clientX - last.clientX, event.clientY - last.clientY);
      last = event;
    };
  },
  ruler(view, start, point) {
    return (event, done) => view.ruler.drag(point(start), point(event), done);
  },
};
