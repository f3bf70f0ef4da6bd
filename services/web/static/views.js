// Saved views: save the filters in the address under a name, delete a view, and undo that.

const form = document.getElementById("save-view");
const undo = document.getElementById("view-undo");

function filters() {
  const kept = Object.fromEntries(new URL(location.href).searchParams);
  for (const name of ["cursor", "trail", "part", "view"]) delete kept[name];
  return kept;
}

async function send(path, method, body) {
  try {
    const answer = await fetch(`/v1/views${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
    const said = answer.status === 204 ? {} : await answer.json();
    return answer.ok ? said : { failed: said.detail ?? `The server answered ${answer.status}.` };
  } catch {
    return { failed: "The server does not answer; nothing was changed." };
  }
}

function tell(text, act) {
  document.getElementById("view-undo-text").textContent = text;
  const button = undo.querySelector("button");
  button.hidden = !act;
  button.onclick = act;
  undo.hidden = false;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = document.getElementById("view-name").value.trim();
  if (!name) {
    tell("Give the view a name first.");
    document.getElementById("view-name").focus();
    return;
  }
  const is_default = document.getElementById("view-default").checked;
  const said = await send("", "POST", { name, filters: filters(), is_default });
  if (said.failed) tell(said.failed);
  else location.assign(`/?${new URLSearchParams({ ...said.filters, view: said.name })}`);
});

for (const button of document.querySelectorAll(".delete-view")) {
  button.addEventListener("click", async () => {
    const view = button.closest(".view");
    const said = await send(`/${view.dataset.id}`, "DELETE");
    if (said.failed) {
      tell(said.failed);
      return;
    }
    view.hidden = true;
    tell(`The view ${view.dataset.name} is deleted.`, async () => {
      const back = await send(`/${view.dataset.id}/restore`, "POST");
      if (back.failed) tell(back.failed);
      else {
        view.hidden = false;
        undo.hidden = true;
        view.querySelector("a").focus();
      }
    });
    undo.querySelector("button").focus();
  });
}
