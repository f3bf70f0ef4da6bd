// The page's one painter: the graphics card where there is one and it takes the film, else the processor.

import { CpuPainter } from "./paint-cpu.js";
import { GlPainter } from "./paint-gl.js";

export class Painter {
  constructor({ card = () => new GlPainter() } = {}) {
    this.cpu = new CpuPainter();
    try {
      this.card = card();
    } catch {
      this.card = null;
    }
  }

  get kind() {
    return this.card ? this.card.kind : this.cpu.kind;
  }

  forget(frame) {
    this.card?.forget(frame);
  }

  paint(target, frame, table, back) {
    if (this.card?.takes(frame)) {
      try {
        this.card.paint(target, frame, table, back);
        return;
      } catch {
        // A lost card does not come back within a page's life reliably; the film must stay in sight.
        if (this.card.lost) this.card = null;
      }
    }
    this.cpu.paint(target, frame, table, back);
  }
}
