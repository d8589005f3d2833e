import { launchBrowser } from "./test/chromium.ts";
import { serveFolder } from "./explorer/serve.ts";
import { readdirSync } from "node:fs";
const { server, address } = await serveFolder("/tmp/site1");
const browser = await launchBrowser();
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
page.on("console", (m) => { if (m.type() === "error" || m.type()==="warning") console.log("CONSOLE", m.text()); });
page.on("pageerror", (e) => console.log("PAGEERROR", e.message));
const only = process.argv.slice(2);
for (const f of readdirSync("/tmp/site1/lessons").filter((n) => /^\d\d/.test(n))) {
  if (only.length && !only.some((o) => f.startsWith(o))) continue;
  await page.goto(address + "lessons/" + f);
  await page.click("#run-all");
  const t = Date.now();
  try { await page.waitForFunction(() => /Everything|blocks printed|Stopped/.test(document.querySelector("#status")!.textContent!), null, { timeout: 240000 }); } catch (e) { console.log("TIMEOUT"); }
  console.log(f, await page.textContent("#status"));
  for (const r of await page.$$eval(".result .other, .result .failed, .result pre", (es) => es.map((e) => e.textContent))) console.log("   ", r);
}
await page.screenshot({ path: "/tmp/lesson.png", fullPage: false });
await browser.close(); server.close();
