// Pages of the Calls API (`calls_page.js`) for the drivers beside this file.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { launch } from "./browser.mjs";

/** Open the browser; `enter(name)` gives a page of its own with a session, `errors` gathers what pages complain of. */
export async function stage(api, secret, options) {
  const script = await readFile(new URL("calls_page.js", import.meta.url));
  const server = createServer((request, response) => {
    const wanted = request.url === "/page.js";
    response.setHeader("content-type", wanted ? "text/javascript" : "text/html");
    response.end(wanted ? script : "<!doctype html><script type=module src=/page.js></script>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launch(options);
  const errors = [];

  async function enter(name, { query = "", prepare } = {}) {
    const page = await (await browser.newContext({ permissions: ["microphone"] })).newPage();
    page.on("pageerror", (error) => errors.push(`${name}: ${error.message}`));
    page.on("console", (message) => {
      // A request that is refused is the driver's to judge.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) errors.push(`${name}: ${message.text()}`);
    });
    page.on("crash", () => errors.push(`${name}: the renderer crashed`));
    if (prepare) await prepare(page);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction("window.kit !== undefined");
    page.session = await page.evaluate((given) => window.kit.session(...given), [api, secret, query]);
    return page;
  }

  async function close() {
    await browser.close();
    server.close();
  }

  return { enter, errors, close };
}

/** Ask again until it is so, at most `limit_s`; give what it was last. */
export async function poll(read, so, limit_s = 20) {
  const until = Date.now() + limit_s * 1000;
  let found = await read();
  while (!so(found) && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    found = await read();
  }
  return found;
}

/** Say what the network is like from now on for the page's session. */
export async function network(relay, page, leg) {
  const ufrag = await page.evaluate(() => window.session.ufrag);
  await fetch(`${relay}/${ufrag}`, { method: "PUT", body: JSON.stringify(leg) });
}
