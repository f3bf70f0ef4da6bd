// A queue that works on a few items at once and takes more while it runs.

export class Parallel {
  constructor(work, lanes) {
    this.work = work;
    this.lanes = lanes;
    this.waiting = [];
    this.running = 0;
    this.idle = () => {};
  }

  add(items) {
    for (const item of items) this.waiting.push(item);
    this.pump();
  }

  // Take back what has not begun.
  drain() {
    return this.waiting.splice(0);
  }

  get busy() {
    return this.running + this.waiting.length > 0;
  }

  pump() {
    while (this.running < this.lanes && this.waiting.length) {
      const item = this.waiting.shift();
      this.running += 1;
      Promise.resolve()
        .then(() => this.work(item))
        .catch(() => {}) // the work itself says on its item what went wrong
        .finally(() => {
          this.running -= 1;
          if (this.busy) this.pump();
          else this.idle();
        });
    }
  }
}
