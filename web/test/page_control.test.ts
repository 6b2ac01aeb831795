import assert from "node:assert/strict";
import { test } from "node:test";
import { ToolBox } from "../lib/toolbox.js";
import { cssColour } from "../page-control/colour.js";
import type { PageEditor } from "../page-control/editor.js";
import { pxSize } from "../page-control/size.js";
import { pageTools } from "../page-control/tools.js";

const KNOWN = new Set(["purple", "darkred", "lightblue", "inherit", "#fff", "rgb(1, 2, 3)", "tan"]);
const known = (colour: string): boolean => KNOWN.has(colour);

for (const [said, css] of [
  ["purple", "purple"],
  ["Purple.", "purple"],
  ["dark red", "darkred"],
  ["a light blue color", "lightblue"],
  ["really dark-red please", "darkred"],
  ["a sort of purple", "purple"],
  ["#FFF", "#fff"],
  ["rgb(1, 2, 3)", "rgb(1, 2, 3)"],
] as const) {
  test(`"${said}" is the colour ${css}`, () => assert.equal(cssColour(said, known), css));
}

for (const said of ["", "inherit", "loud", "the color"]) {
  test(`"${said}" is no colour, and the sentence names it`, () => {
    assert.throws(() => cssColour(said, known), new RegExp(`no color called ${said || "nothing"}`));
  });
}

for (const [said, now, px] of [
  ["bigger", 16, 22.4],
  ["much bigger.", 16, 31.4],
  ["smaller", 16, 11.4],
  ["a bit smaller", 10, 10],
  ["bigger", 90, 96],
  ["double", 20, 40],
  ["huge", 20, 44],
  ["24", 16, 24],
  ["24px", 16, 24],
  ["18 pt", 16, 24],
  ["2em", 11, 32],
  ["150%", 20, 30],
  ["3 times", 10, 30],
  ["900px", 16, 96],
] as const) {
  test(`"${said}" from ${now} px is ${px} px`, () => assert.equal(pxSize(said, now), px));
}

test("a size nobody knows is refused with what to say instead", () => {
  assert.throws(() => pxSize("purple", 16), /bigger, smaller/);
});

test("colours and sizes are free strings, one function has no parameters, and empty arguments are none", async () => {
  const asked: unknown[] = [];
  const page = {
    html: (element?: string) => asked.push(element),
    setBackground: (colour: string) => asked.push(colour),
    setButton: (change: object) => asked.push(change),
    undo: () => "undone",
  } as unknown as PageEditor;
  const box = new ToolBox(pageTools(page));
  const definitions = new Map(box.definitions().map((tool) => [tool.name, tool]));
  assert.deepEqual(Object.keys(definitions.get("undo") ?? {}), ["type", "name", "description"]);
  assert.ok(!JSON.stringify([...definitions.values()]).includes("enum"));
  await box.call("get_page_HTML", "{}");
  await box.call("change_background_color", '{"color":" dark red "}');
  await box.call("change_button", '{"size":"","color":"green"}');
  await box.call("change_button", '{"size":24}');
  assert.deepEqual(asked, [undefined, "dark red", { size: undefined, color: "green" }, { size: "24", color: undefined }]);
  assert.equal((await box.call("undo", "")).output, "undone");
});
