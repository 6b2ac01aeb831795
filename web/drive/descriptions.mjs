// Opens a page that negotiates by itself in Chromium, and brings back what it reports.
//
// Usage: node descriptions.mjs URL OUT.json. The page sets `window.outcome` to a promise of plain data.
import { writeFile } from "node:fs/promises";
import { launch } from "./browser.mjs";

const [url, out] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(url);
  const outcome = await page.evaluate(() => window.outcome);
  await writeFile(out, JSON.stringify({ version: browser.version(), outcome }));
} finally {
  await browser.close();
}
