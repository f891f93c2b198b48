/** The page as a person has it: in headless Chromium, with scripts, without a network. */
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeIndex, writeReports } from './index.ts';
import { writeSampleBundle } from './sample.ts';

const TAINT = `"><script>window.owned=1</script><img src=x onerror="window.owned=1">'&`;

function chromiumOnPath(): string {
  for (const dir of (process.env.PATH ?? '').split(delimiter))
    for (const name of ['chromium', 'chromium-browser', 'google-chrome'])
      try {
        accessSync(join(dir, name), constants.X_OK);
        return join(dir, name);
      } catch {
        // Not here: the next one.
      }
  throw new Error('There is no Chromium on PATH: apt-get install -y --no-install-recommends chromium');
}

let root: string;
let context: BrowserContext;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'faultline-browser-'));
  await writeSampleBundle(join(root, 'plain'), { variant: 'failing' });
  await writeSampleBundle(join(root, 'tainted'), { variant: 'failing', taint: TAINT });
  for (const name of ['plain', 'tainted']) await writeReports(join(root, name));
  await writeIndex([join(root, 'plain'), join(root, 'tainted')], join(root, 'index.html'));
  context = await chromium.launchPersistentContext(join(root, 'profile'), {
    executablePath: chromiumOnPath(),
    headless: true,
    viewport: { width: 1280, height: 900 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}, 120_000);
afterAll(async () => {
  await context?.close();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

/** Opens a file and does `work`; fails on an error, a complaint of the console, or a request that leaves the file. */
async function open<T>(file: string, work: (page: Page) => Promise<T>, width = 1280): Promise<T> {
  const page = await context.newPage();
  const said: string[] = [];
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (url !== pathToFileURL(join(root, file)).href && !url.startsWith('data:'))
      said.push(`request: ${url}`);
  });
  try {
    await page.setViewportSize({ width, height: 900 });
    await page.goto(pathToFileURL(join(root, file)).href);
    const result = await work(page);
    expect(said).toEqual([]);
    return result;
  } finally {
    await page.close();
  }
}

const REPORT = 'plain/report.html';
/** The first curve, in sight, and where it is. */
async function plotOf(page: Page) {
  const plot = page.locator('.track.lines .plot').first();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  if (!box) throw new Error('the plot has no box');
  return { plot, box };
}
const view = (page: Page) =>
  page.evaluate(
    "({ from: +document.getElementById('chart').dataset.from, to: +document.getElementById('chart').dataset.to })",
  ) as Promise<{
    from: number;
    to: number;
  }>;
/** Number of different colours in a picture, counted by the browser itself. */
const colours = (page: Page, png: Buffer) =>
  page.evaluate(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${png.toString('base64')}';
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = image.width; canvas.height = image.height;
    const draw = canvas.getContext('2d');
    draw.drawImage(image, 0, 0);
    const seen = new Map();
    const pixels = new Uint32Array(draw.getImageData(0, 0, image.width, image.height).data.buffer);
    for (const pixel of pixels) seen.set(pixel, (seen.get(pixel) ?? 0) + 1);
    return [...seen.values()].filter((n) => n >= 20).length;
  })()`) as Promise<number>;

describe('report.html in Chromium', () => {
  it('draws: every curve has points, every lane its bars, and the picture has them', () =>
    open(REPORT, async (page) => {
      const drawn = (await page.evaluate(`[...document.querySelectorAll('.track.lines:not(.flat)')]
        .filter((t) => !t.closest('details:not([open])'))
        .map((t) => [...t.querySelectorAll('.plot .ln')].some((p) => {
          // Steps (pods) have a point for each change only.
          const steps = p.getAttribute('d').split('H').length - 1;
          return steps > 2 || p.getAttribute('d').split('L').length > 20;
        }))`)) as boolean[];
      expect(drawn.length).toBeGreaterThan(6);
      expect(drawn.every(Boolean)).toBe(true);
      expect(await page.locator('.bar-firing').count()).toBe(2);
      expect(await page.locator('.bar-effect').count()).toBe(1);
      const png = await page.locator('#chart').screenshot();
      expect(await colours(page, png)).toBeGreaterThan(12);
      // The control: an empty chart does not pass this.
      await page.evaluate("document.getElementById('chart').replaceChildren(document.createElement('p'))");
      await page.evaluate("document.querySelector('#chart p').textContent = 'x'");
      expect(await colours(page, await page.locator('#chart').screenshot())).toBeLessThan(12);
    }));

  it('zooms by drag, button, key and wheel, and goes back', () =>
    open(REPORT, async (page) => {
      const whole = await view(page);
      expect(whole.from).toBe(0);
      const { plot, box } = await plotOf(page);
      await page.mouse.move(box.x + box.width * 0.25, box.y + 30);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.4, box.y + 40);
      await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
      await page.mouse.up();
      const dragged = await view(page);
      expect(dragged.from / whole.to).toBeCloseTo(0.25, 1);
      expect(dragged.to / whole.to).toBeCloseTo(0.5, 1);
      await page.getByRole('button', { name: 'Whole run' }).click();
      expect(await view(page)).toEqual(whole);
      await page.getByRole('button', { name: 'steady-fault', exact: true }).click();
      expect(await view(page)).toEqual({ from: 46_000, to: 76_000 });
      await page.locator('#chart').focus();
      await page.keyboard.press('+');
      const nearer = await view(page);
      expect(nearer.to - nearer.from).toBe(15_000);
      await page.keyboard.press('Shift+ArrowRight');
      expect((await view(page)).from).toBeGreaterThan(nearer.from);
      await page.keyboard.press('0');
      expect(await view(page)).toEqual(whole);
      await plot.hover();
      await page.keyboard.down('Control');
      await page.mouse.wheel(0, -400);
      await page.keyboard.up('Control');
      await expect
        .poll(async () => (await view(page)).to - (await view(page)).from)
        .toBeLessThan(whole.to * 0.8);
    }));

  it('reads values out at the cursor, on all rows at once, and to a screen reader', () =>
    open(REPORT, async (page) => {
      const { box } = await plotOf(page);
      const { to } = await view(page);
      await page.mouse.move(box.x + (box.width * 60_000) / to, box.y + 20);
      expect(await page.locator('.cursor').count()).toBe(await page.locator('.track:visible').count());
      const values = await page.locator('.legend .val').allTextContents();
      expect(values.filter((v) => v !== '').length).toBeGreaterThan(8);
      expect(await page.locator('.lane.fault .note').first().textContent()).toContain('effect');
      await page.locator('#chart').focus();
      await page.keyboard.press('ArrowRight');
      expect(await page.locator('#chart-status').textContent()).toMatch(
        /steady-fault.*builds: response time: p50 \d/s,
      );
    }));

  it('leads from a number to its evidence, and from there to its window', () =>
    open(REPORT, async (page) => {
      await page.locator('#objectives a.ev').first().click();
      const target = page.locator('details.check[open]');
      await expect.poll(() => target.count()).toBe(1);
      expect(await target.locator('pre').first().textContent()).toContain('SELECT');
      await target.locator('button.zoom-to').first().click();
      const { from, to } = await view(page);
      expect(to - from).toBeLessThan(60_000);
    }));

  it.each([1280, 400])('is no wider than a window of %s', (width) =>
    open(
      REPORT,
      async (page) => {
        const [wide, inner] = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as [
          number,
          number,
        ];
        expect(inner).toBe(width);
        expect(wide).toBeLessThanOrEqual(width);
      },
      width,
    ),
  );

  it('follows the reader to dark, and prints', () =>
    open(REPORT, async (page) => {
      const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
      await page.emulateMedia({ colorScheme: 'light' });
      const light = await background();
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await background()).not.toBe(light);
      await page.emulateMedia({ media: 'print', colorScheme: 'light' });
      const pdf = await page.pdf({ format: 'A4' });
      expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
      expect(pdf.length).toBeGreaterThan(30_000);
    }));

  it('names every button and link, and has one h1 and no heading level left out', () =>
    open(REPORT, async (page) => {
      const nameless = await page.evaluate(`[...document.querySelectorAll('a, button, summary')]
        .filter((e) => !(e.getAttribute('aria-label') ?? e.textContent).trim()).length`);
      expect(nameless).toBe(0);
      const levels = (await page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((h) => +h.tagName[1])",
      )) as number[];
      expect(levels.filter((l) => l === 1)).toHaveLength(1);
      expect(levels.every((l, i) => i === 0 || l - (levels[i - 1] ?? 0) <= 1)).toBe(true);
    }));

  it('runs nothing that a bundle brought, and shows it as text', () =>
    open('tainted/report.html', async (page) => {
      expect(await page.evaluate('window.owned')).toBeUndefined();
      expect(await page.locator('img').count()).toBe(0);
      expect(await page.locator('.lane.fault b').first().textContent()).toContain('<script>');
      await page.locator('#chart').focus();
      await page.keyboard.press('ArrowRight');
      expect(await page.evaluate('window.owned')).toBeUndefined();
    }));

  it('would be stopped by its policy if a script got in', async () => {
    const page = await context.newPage();
    try {
      await page.goto(pathToFileURL(join(root, REPORT)).href);
      const blocked = page.waitForEvent('console');
      await page.evaluate(`(() => {
        const script = document.createElement('script');
        script.textContent = 'window.owned = 1';
        document.body.append(script);
      })()`);
      expect((await blocked).text()).toContain('Content Security Policy');
      expect(await page.evaluate('window.owned')).toBeUndefined();
    } finally {
      await page.close();
    }
  });
});

it('the index over several runs opens clean and fits 400', () =>
  open(
    'index.html',
    async (page) => {
      expect(await page.locator('tbody tr').count()).toBe(2);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    },
    400,
  ));

it.each(['plain', 'tainted'])('junit.xml of the %s bundle is well-formed to an XML parser', async (name) => {
  const page = await context.newPage();
  try {
    const xml = await readFile(join(root, name, 'junit.xml'), 'utf8');
    const parse = (text: string) =>
      page.evaluate(`(() => {
        const tree = new DOMParser().parseFromString(${JSON.stringify(text)}, 'application/xml');
        const error = tree.querySelector('parsererror')?.textContent ?? null;
        return { error, cases: tree.querySelectorAll('testcase').length };
      })()`) as Promise<{ error: string | null; cases: number }>;
    const { error, cases } = await parse(xml);
    expect(error).toBeNull();
    expect(cases).toBeGreaterThan(20);
    expect((await parse(xml.replace('</testsuite>', ''))).error).not.toBeNull();
  } finally {
    await page.close();
  }
});
