// A sentence for the reader, on this page or on the next one.

const FLASH = "hilum.flash";

export function say(text) {
  const toast = document.getElementById("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => {
    toast.hidden = true;
  }, 5_000);
}

// Leave a message for the next page and go there.
export function go(url, text = "") {
  if (text) sessionStorage.setItem(FLASH, text);
  location.assign(url);
}

// Say what the page before left.
export function sayLeft() {
  const message = sessionStorage.getItem(FLASH);
  if (!message) return;
  sessionStorage.removeItem(FLASH);
  say(message);
}
