// Builds the pages into the Python package: `src/parley/web_assets/{PAGE/index.html, assets/*}`.
// Every file but the page itself has its content's hash in its name, so it may be cached for ever.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const web = dirname(fileURLToPath(import.meta.url));
const target = join(web, "../src/parley/web_assets");
const staging = `${target}.building`;
const pages = ["console", "page-control", "stage"];

const common = {
  bundle: true,
  format: "esm",
  target: ["chrome111", "firefox121", "safari16.4"],
  minify: true,
  legalComments: "none",
  metafile: true,
  absWorkingDir: web,
  logLevel: "warning",
};

/** Bundle a file for the audio thread; return its file name, to be resolved beside the page's script. */
async function buildWorklet(name, packages) {
  const result = await build({ ...common, entryPoints: [`lib/worklets/${name}.ts`], write: false });
  collectPackages(result.metafile, packages);
  const code = result.outputFiles[0].contents;
  const file = `${name}-${createHash("sha256").update(code).digest("hex").slice(0, 10)}.js`;
  await writeFile(join(staging, "assets", file), code);
  return file;
}

function collectPackages(metafile, packages) {
  for (const input of Object.keys(metafile.inputs)) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input);
    if (match) packages.add(match[1]);
  }
}

/** The licences of everything bundled, as those licences ask. */
async function writeNotices(packages) {
  const notices = [];
  for (const name of [...packages].sort()) {
    const folder = join(web, "node_modules", name);
    const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} ships no licence text; it cannot be bundled`);
    notices.push(`${name} ${about.version} (${about.license})\n\n${await readFile(join(folder, file), "utf8")}`);
  }
  await writeFile(join(staging, "assets", "third-party-licences.txt"), notices.join(`\n${"-".repeat(80)}\n\n`));
}

await rm(staging, { recursive: true, force: true });
await mkdir(join(staging, "assets"), { recursive: true });
const packages = new Set();
const worklets = {
  __MICROPHONE_WORKLET__: JSON.stringify(await buildWorklet("microphone", packages)),
  __PLAYER_WORKLET__: JSON.stringify(await buildWorklet("player", packages)),
};
const { version } = JSON.parse(await readFile(join(web, "package.json"), "utf8"));

for (const page of pages) {
  const result = await build({
    ...common,
    entryPoints: [`${page}/main.ts`, `${page}/page.css`, `${page}/icon.svg`],
    entryNames: `${page}-[name]-[hash]`,
    assetNames: "[name]-[hash]",
    loader: { ".woff2": "file", ".svg": "copy" },
    define: { ...worklets, __VERSION__: JSON.stringify(version) },
    outdir: join(staging, "assets"),
    sourcemap: false,
  });
  collectPackages(result.metafile, packages);
  const outputs = Object.keys(result.metafile.outputs).map((path) => basename(path));
  const find = (pattern) => {
    const found = outputs.find((name) => pattern.test(name));
    if (!found) throw new Error(`the build of ${page} made no file like ${pattern}`);
    return `/assets/${found}`;
  };
  const html = (await readFile(join(web, page, "index.html"), "utf8"))
    .replace("%SCRIPT%", find(new RegExp(`^${page}-main-.*\\.js$`)))
    .replace("%STYLE%", find(new RegExp(`^${page}-page-.*\\.css$`)))
    .replace("%ICON%", find(new RegExp(`^${page}-icon-.*\\.svg$`)));
  await mkdir(join(staging, page), { recursive: true });
  await writeFile(join(staging, page, "index.html"), html);
}
await writeNotices(packages);
// Swapped in one step, so that a server or a test beside this build never finds half a page.
const old = `${target}.old`;
await rm(old, { recursive: true, force: true });
await rename(target, old).catch((error) => {
  if (error.code !== "ENOENT") throw error;
});
await rename(staging, target);
await rm(old, { recursive: true, force: true });
