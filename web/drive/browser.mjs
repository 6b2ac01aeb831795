// Debian's Chromium with a fake microphone. Nothing is downloaded; CHROMIUM names another browser.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** `microphone`: a wav file, played once from the moment the page opens the microphone. */
export async function launch({ microphone, autoplay = "no-user-gesture-required", allow = true } = {}) {
  if (!existsSync(CHROMIUM)) throw new Error(`no browser at ${CHROMIUM}; install it with: apt-get install chromium`);
  const args = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    `--autoplay-policy=${autoplay}`,
    // Addresses as they are: there is no multicast name service where tests run.
    "--disable-features=AudioServiceSandbox,WebRtcHideLocalIpsWithMdns",
  ];
  if (allow) args.push("--use-fake-ui-for-media-stream");
  if (microphone) args.push(`--use-file-for-fake-audio-capture=${microphone}%noloop`);
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args });
}
