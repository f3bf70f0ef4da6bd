// Keep every <time data-form> true: the server writes it once, this module again as time passes, in local time.

import { ago, clock, due, waits } from "./format.js";
import { now as serverNow } from "./server-clock.js";

const FORMS = { ago, clock, due, waits };

export function refreshTimes(root = document, now = serverNow()) {
  for (const element of root.querySelectorAll("time[data-form]")) {
    const text = FORMS[element.dataset.form](new Date(element.dateTime), now);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.form === "due") {
      element.closest("td, p")?.classList.toggle("overdue", new Date(element.dateTime) < now);
    }
  }
}
