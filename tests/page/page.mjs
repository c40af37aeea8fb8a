// Clicks through the page in headless Chromium and judges it: light and dark, wide and 360 px, by keyboard alone, and
// without JavaScript. Fails with a list of what is wrong; leaves screenshots.
//
//   node page.mjs VIEWS WAREHOUSE DELIVERY FOLDER     the hook to push to is in QUAYSIDE_URL, the body in QUAYSIDE_BODY
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [views, warehouse, delivery, folder] = process.argv.slice(2);
const require = createRequire(join(process.env.QUAYSIDE_PAGE_TOOLS, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const PAGES = { home: "/", checks: "/checks", delivery: `/deliveries/${delivery}`, warehouse: `/warehouses/${warehouse}` };
const problems = [];

const browser = await chromium.launch({
  executablePath: process.env.QUAYSIDE_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// A page of its own context, whose complaints count as problems.
async function open(options, path) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && problems.push(`${path}: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`${path}: ${error}`));
  page.on("request", (request) => request.url().startsWith(views) || problems.push(`${path} asks ${request.url()}`));
  await page.goto(views + path);
  return page;
}

async function judge(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  for (const { id, impact, nodes } of violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
    problems.push(`${name}: ${impact} ${id}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
  }
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) problems.push(`${name}: ${overflow} px wider than the window`);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1200, 360]) {
    for (const [name, path] of Object.entries(PAGES)) {
      const page = await open({ colorScheme, viewport: { width, height: 800 } }, path);
      await judge(page, `${name}-${colorScheme}-${width}`);
      await page.context().close();
    }
  }
}

// By keyboard alone: the skip link, a link of the table, the form for a Warehouse.
{
  const page = await open({ viewport: { width: 1200, height: 800 } }, "/");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  const isDelivery = () => document.activeElement.getAttribute("href")?.startsWith("/deliveries/");
  for (let steps = 0; !(await page.evaluate(isDelivery)); steps += 1) {
    assert.ok(steps < 30, "no link of a delivery is reached by Tab");
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    if (outline === "none") problems.push("what has the focus does not show it");
  }
  await page.keyboard.press("Enter");
  await page.waitForURL("**/deliveries/*");
  await page.goto(views);
  while (!(await page.evaluate(() => document.activeElement.id === "find"))) await page.keyboard.press("Tab");
  await page.keyboard.type(warehouse);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/warehouses/${warehouse}`);
  assert.match(await page.textContent(".answer"), /delivery about it/);
  await page.context().close();
}

// Live: what is pushed now appears without a reload, unless the page is paused.
{
  const page = await open({}, "/");
  await page.getByText("Live", { exact: true }).waitFor();
  const push = async () => {
    const answer = await fetch(process.env.QUAYSIDE_URL, { method: "POST", body: process.env.QUAYSIDE_BODY });
    return (await answer.json()).deliveryId;
  };
  await page.locator("#live-deliveries", { hasText: await push() }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused", { exact: true }).waitFor();
  await page.context().close();
}

// Without JavaScript it shows the same and stands still.
{
  const page = await open({ javaScriptEnabled: false }, "/");
  await page.fill("#filter-receiver", warehouse.replace(/\/.*/, "/quay"));
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("link", { name: delivery }).click();
  await page.waitForURL(`**/deliveries/${delivery}`);
  assert.ok(await page.locator(".timeline").count(), "the timeline is there");
  assert.ok(await page.locator("#pause").isHidden(), "what needs JavaScript is not offered");
  await page.context().close();
}

await browser.close();
if (problems.length) {
  console.error([...new Set(problems)].join("\n"));
  process.exit(1);
}
