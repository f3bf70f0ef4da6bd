// Drive Firefox by WebDriver BiDi, which it speaks by itself: `node --experimental-websocket firefox.mjs FIREFOX PROFILE`.
// Steps come as one JSON list on standard input, results leave as one on standard output:
// {"go": url}, {"until": expression}, {"ask": expression}, {"keys": "text"}, {"picture": ""} (PNG in base64).

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

const [firefox, profile] = process.argv.slice(2);
const steps = JSON.parse(readFileSync(0, "utf8"));
const browser = spawn(firefox, ["--headless", "--no-remote", "--profile", profile, "--width", "1366", "--height", "900", "--remote-debugging-port", "0"]);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const address = await new Promise((found, lost) => {
  browser.on("exit", () => lost(new Error("Firefox ended")));
  createInterface({ input: browser.stderr }).on("line", (line) => {
    const match = line.match(/WebDriver BiDi listening on (ws:\S+)/);
    if (match) found(match[1]);
  });
});
const socket = new WebSocket(`${address}/session`);
await new Promise((done) => socket.addEventListener("open", done));
const waiting = new Map();
socket.addEventListener("message", ({ data }) => {
  const message = JSON.parse(data);
  waiting.get(message.id)?.(message);
  waiting.delete(message.id);
});
let last = 0;
async function call(method, params) {
  const id = (last += 1);
  socket.send(JSON.stringify({ id, method, params }));
  const answer = await new Promise((done) => waiting.set(id, done));
  if (answer.type === "error") throw new Error(`${method}: ${answer.error} ${answer.message}`);
  return answer.result;
}

try {
  await call("session.new", { capabilities: {} });
  const context = (await call("browsingContext.getTree", {})).contexts[0].context;
  const ask = async (expression) => {
    const answer = await call("script.evaluate", { expression: `JSON.stringify(${expression})`, target: { context }, awaitPromise: true });
    if (answer.type === "exception") throw new Error(answer.exceptionDetails.text);
    return answer.result.value === undefined ? null : JSON.parse(answer.result.value);
  };
  const kinds = {
    go: (url) => call("browsingContext.navigate", { context, url, wait: "complete" }).then(() => null),
    ask,
    async until(expression) {
      for (let n = 0; n < 600; n += 1) {
        if (await ask(expression)) return true;
        await pause(50);
      }
      throw new Error(`never: ${expression}`);
    },
    async keys(text) {
      const actions = [...text].flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]);
      await call("input.performActions", { context, actions: [{ type: "key", id: "keyboard", actions }] });
      await pause(200);
      return null;
    },
    picture: async () => (await call("browsingContext.captureScreenshot", { context })).data,
  };
  const results = [];
  for (const step of steps) {
    const [[kind, value]] = Object.entries(step);
    results.push(await kinds[kind](value));
  }
  console.log(JSON.stringify(results));
} finally {
  browser.kill();
}
