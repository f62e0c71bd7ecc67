// The page below a path, behind a proxy that takes the path away, or passes it on: submit, follow, read the documentation.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { Fixture, screenshot } from "../fixture.js";

const PATH = "/tools/pv";

/** @type {Fixture} */
let fixture;
/** @type {http.Server[]} */
const proxies = [];
before(async () => {
  // As behind a proxy that is trusted to know who asks.
  fixture = await Fixture.start({ env: { PV_UI_ALLOW_REMOTE_WRITE: "1" } });
});
after(async () => {
  for (const proxy of proxies) proxy.close().closeAllConnections();
  await fixture.close();
});

/**
 * Starts a proxy that answers below `PATH` alone, and returns its address.
 * @param {() => string} service @param {"strips" | "keeps"} way
 */
async function startProxy(service, way) {
  const proxy = http.createServer((request, response) => {
    const url = request.url ?? "";
    if (!url.startsWith(`${PATH}/`) && !(way === "keeps" && url === PATH)) {
      response.writeHead(404).end("outside of the path");
      return;
    }
    const target = new URL(service());
    const headers = { ...request.headers, "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "http" };
    const forwarded = http.request({
      host: target.hostname, port: target.port, method: request.method, headers,
      path: way === "strips" ? url.slice(PATH.length) : url,
    }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    response.on("close", () => forwarded.destroy());
    request.pipe(forwarded);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  proxies.push(proxy);
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (proxy.address()).port}`;
}

for (const way of /** @type {const} */ (["strips", "keeps"])) {
  test(`c25 a prompt is submitted and followed through a proxy that ${way} its path`, async () => {
    const proxy = await startProxy(() => fixture.ui, way);
    const page = await fixture.page();
    /** @type {string[]} */
    const outside = [];
    page.on("request", (request) => {
      if (request.url().startsWith(proxy) && !new URL(request.url()).pathname.startsWith(PATH)) outside.push(request.url());
    });
    // One that keeps it passes on the address without the slash, too.
    await page.goto(`${proxy}${PATH}${way === "strips" ? "/" : ""}`);
    assert.equal(page.url(), `${proxy}${PATH}/`);
    await page.getByText("API reachable").waitFor();
    await page.getByRole("link", { name: "Submit" }).click();
    await page.getByRole("combobox", { name: "Target" }).fill("nova main");
    await page.getByRole("option", { name: /nova-rey\/example\s*main/ }).click();
    await page.getByLabel("Prompt", { exact: true }).fill(`# Through a proxy that ${way}`);
    await page.getByRole("button", { name: "Submit", exact: true }).click();
    await page.getByText("Submitted:").getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: `Through a proxy that ${way}` }).waitFor();
    const id = page.url().split("/").at(-1) ?? "";
    await page.getByText("following live").waitFor();
    fixture.print(id, "a line while it runs\n");
    await page.locator(".log-line", { hasText: "a line while it runs" }).waitFor();
    fixture.finish(id);
    await page.locator(".job-title .badge", { hasText: "succeeded" }).waitFor();
    await page.reload();
    await page.locator(".log-line", { hasText: "agent is done" }).waitFor();
    await page.getByRole("link", { name: "Dashboard", exact: true }).click();
    await page.getByRole("row", { name: new RegExp(`Through a proxy that ${way}`) }).getByText("succeeded").waitFor();
    await page.getByRole("link", { name: "Services" }).click();
    await page.getByRole("region", { name: "Checks" }).waitFor();
    await screenshot(page, `below-a-path-${way}`);

    for (const end of ["docs", "docs/"]) {
      if (end === "docs") await page.getByRole("link", { name: "API docs" }).click();
      else await page.goto(`${proxy}${PATH}/${end}`);
      await page.getByRole("heading", { name: /Prompt Valet/ }).first().waitFor();
      assert.equal(await page.locator(".servers select").inputValue(), `${PATH}/api/v1`, end);
      await page.goto(`${proxy}${PATH}/`);
      await page.getByText("API reachable").waitFor();
    }
    assert.deepEqual(outside, []);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test("c25 two services of one origin keep their tokens apart", async () => {
  const proxy = await startProxy(() => fixture.ui, "keeps");
  const page = await fixture.page();
  for (const folder of ["a", "b"]) {
    await page.goto(`${proxy}${PATH}/${folder}/`);
    await page.getByText("API reachable").waitFor();
    await page.evaluate((token) => import(new URL("js/api/client.js", document.baseURI).href).then((client) => client.setToken(token)), `token-of-${folder}`);
  }
  const stored = await page.evaluate(() => Object.entries(sessionStorage));
  assert.deepEqual(stored.sort(), [[`pv.token ${PATH}/a/`, "token-of-a"], [`pv.token ${PATH}/b/`, "token-of-b"]]);
  await page.context().close();
});
