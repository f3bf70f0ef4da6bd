// The self-test: ask the service to run it, then show each step with its time and result.

const button = document.getElementById("run");
const body = document.querySelector("#steps tbody");
const summary = document.getElementById("summary");

function cell(text, className = "") {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}

function line(step) {
  const row = document.createElement("tr");
  row.dataset.ok = String(step.ok);
  const result = document.createElement("td");
  result.className = "result";
  const chip = document.createElement("span");
  chip.className = step.ok ? "chip good" : "chip critical";
  chip.textContent = step.ok ? "passed" : "failed";
  result.append(chip);
  row.append(cell(step.name), result, cell(`${step.milliseconds.toFixed(1)} ms`, "number milliseconds"), cell(step.detail));
  return row;
}

async function run() {
  button.disabled = true;
  summary.textContent = "Running …";
  summary.className = "";
  body.replaceChildren();
  try {
    const answer = await fetch("/v1/self-test", { method: "POST", signal: AbortSignal.timeout(120_000) });
    const result = await answer.json();
    if (!result.steps) throw new Error(result.detail ?? `the server answered ${answer.status}`);
    body.replaceChildren(...result.steps.map(line));
    const failed = result.steps.filter((step) => !step.ok).length;
    const total = result.steps.reduce((sum, step) => sum + step.milliseconds, 0);
    summary.textContent = failed
      ? `${failed} of ${result.steps.length} steps failed.`
      : `All ${result.steps.length} steps passed in ${(total / 1000).toFixed(2)} s. Nothing of it stays.`;
    summary.className = failed ? "bad" : "good-text";
  } catch (error) {
    summary.textContent = `The self-test could not run: ${error.message}`;
    summary.className = "bad";
  }
  button.disabled = false;
  button.focus();
}

button.addEventListener("click", run);
