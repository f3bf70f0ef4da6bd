// The form of a read: its labels as one object, each click undoable, and a draft that survives leaving the page.

import { inWords, nothingJudged } from "./labels.js";

export class ReadForm {
  constructor(form, uid, tell) {
    this.form = form;
    this.tell = tell;
    this.rows = [...form.querySelectorAll("tr[data-finding]")];
    this.comment = document.getElementById("comment");
    // What is set but not saved survives a look at another study, a reload and a new sign-in, in this tab.
    this.slot = `hilum.draft.${document.body.dataset.reader}.${uid}`;
    this.locked = false;
    this.before = [];
    this.last = this.read();
    form.addEventListener("change", (event) => event.target !== this.comment && this.changed());
    this.comment.addEventListener("input", () => this.keepDraft());
    this.rows.forEach((row) => this.letTakeBack(row));
  }

  read() {
    return Object.fromEntries(
      this.rows.map((row) => {
        const chosen = row.querySelector("input[type=radio]:checked");
        return [row.dataset.finding, chosen ? Number(chosen.value) : null];
      }),
    );
  }

  show(labels) {
    for (const row of this.rows) {
      for (const input of row.querySelectorAll("input[type=radio]")) {
        input.checked = labels[row.dataset.finding] === Number(input.value);
      }
    }
    this.last = this.read();
    if (this.locked) return;
    this.tell(nothingJudged(this.last) ? "Nothing judged yet." : inWords(this.last));
    this.keepDraft();
  }

  // By key or button: shown, and the state before it can come back.
  write(labels) {
    this.before.push(this.last);
    this.show(labels);
  }

  changed() {
    this.write(this.read());
  }

  // Take the last click back; false where there was none.
  undo() {
    const labels = this.before.pop();
    if (labels) this.show(labels);
    return Boolean(labels);
  }

  keepDraft() {
    sessionStorage.setItem(this.slot, JSON.stringify({ labels: this.read(), comment: this.comment.value }));
  }

  dropDraft() {
    sessionStorage.removeItem(this.slot);
  }

  restore() {
    const draft = JSON.parse(sessionStorage.getItem(this.slot) ?? "null");
    if (draft) this.comment.value = draft.comment ?? "";
    this.show({ ...this.read(), ...draft?.labels });
  }

  lock(on) {
    this.locked = on;
    const parts = "#read fieldset, #read textarea, .actions button:not(#skip)";
    for (const part of document.querySelectorAll(parts)) part.disabled = on;
  }

  // A click on the chosen answer takes it back: a radio button alone cannot.
  letTakeBack(row) {
    let chosen = null;
    row.addEventListener("pointerdown", () => {
      chosen = row.querySelector("input:checked")?.value ?? null;
    });
    row.addEventListener("click", (event) => {
      if (event.target.matches("input[type=radio]") && event.detail > 0 && event.target.value === chosen && !this.locked) {
        chosen = null;
        this.write({ ...this.read(), [row.dataset.finding]: null });
      }
    });
  }
}
