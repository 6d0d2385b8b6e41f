// Draws Adaptive Cards as Teams does, Block Kit as Slack does, and HTML pages, into PNG files. Nothing is fetched: all comes from node_modules.
//   node render.mjs DIRECTORY      DIRECTORY holds *.card.json, *.blocks.json and *.html; CHROMIUM names the browser.
// Prints one line for each card with what the Adaptive Cards renderer finds wrong; any fault ends with exit code 1.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [directory] = process.argv.slice(2);
const modules = path.resolve('node_modules');
const read = (...parts) => fs.readFileSync(path.join(modules, ...parts), 'utf8');
const SIZE = { width: 640, height: 400 };
const BACKGROUND = { light: '#f5f5f5', dark: '#1f1f1f' };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
let faults = 0;

async function shoot(theme, out, fill) {
  const page = await browser.newPage({ viewport: SIZE, deviceScaleFactor: 1, colorScheme: theme });
  await page.route(/^https?:/, route => route.abort());
  await fill(page);
  await page.locator('#root').screenshot({ path: path.join(directory, out) });
  await page.close();
}

for (const name of fs.readdirSync(directory).sort()) {
  if (name.endsWith('.card.json')) {
    for (const theme of ['light', 'dark']) {
      await shoot(theme, name.replace('.card.json', `-teams-${theme}.png`), async page => {
        const css = read('adaptivecards', 'dist', 'adaptivecards.css')
          + read('adaptivecards-designer', 'dist', 'containers', `teams-container-${theme}.css`);
        await page.setContent(`<!doctype html><meta charset="utf-8"><style>${css}
          body { margin: 0; background: ${BACKGROUND[theme]}; font-family: "Segoe UI", "Liberation Sans", sans-serif }
          #root { padding: 12px; width: 600px } .expandable::after { content: none !important } .card { border-radius: 4px; overflow: hidden }</style><div id="root"></div>`);
        await page.addScriptTag({ path: path.join(modules, 'adaptivecards', 'dist', 'adaptivecards.min.js') });
        const report = await page.evaluate(([config, json]) => {
          const AC = window.AdaptiveCards;
          // Our texts stand in rich text; what is left of Markdown is shown as it is.
          AC.AdaptiveCard.onProcessMarkdown = (text, result) => {
            const node = document.createElement('span');
            node.textContent = text;
            result.outputHtml = node.outerHTML;
            result.didProcess = true;
          };
          // Teams fills these in for each reader.
          const utc = json.replace(/\{\{(DATE|TIME)\(([^(),{}]*)[^{}]*\)\}\}/g, (_, what, when) =>
            what === 'DATE' ? when.slice(0, 10) : when.slice(11, 16));
          const card = new AC.AdaptiveCard();
          card.hostConfig = new AC.HostConfig(JSON.parse(config));
          const context = new AC.SerializationContext(AC.Versions.v1_5);
          card.parse(JSON.parse(utc), context);
          const found = Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at).message);
          const box = document.createElement('div');
          box.className = 'card';
          box.append(card.render());
          document.getElementById('root').append(box);
          return found.concat((card.validateProperties().validationEvents || []).map(one => one.message));
        }, [read('adaptivecards-designer', 'lib', 'hostConfigs', `microsoft-teams-${theme}.json`),
          fs.readFileSync(path.join(directory, name), 'utf8')]);
        console.log(name, theme, report.length ? JSON.stringify(report) : 'fine');
        faults += report.length;
      });
    }
  } else if (name.endsWith('.blocks.json')) {
    for (const theme of ['light', 'dark']) {
      await shoot(theme, name.replace('.blocks.json', `-slack-${theme}.png`), async page => {
        await page.setContent(`<!doctype html><html data-theme="${theme}"><meta charset="utf-8"><style>${read('slack-blocks-to-jsx', 'dist', 'style.css')}
          body { margin: 0; background: ${theme === 'dark' ? '#1a1d21' : '#ffffff'}; font-family: "Lato", "Liberation Sans", sans-serif }
          #root { padding: 12px; width: 620px }</style><div id="root"></div></html>`);
        await page.addScriptTag({ path: path.join(directory, 'slack.bundle.js') });
        await page.evaluate(blocks => window.renderBlocks(document.getElementById('root'), blocks),
          JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8')));
        await page.waitForFunction(() => document.getElementById('root').innerText.length > 40);
      });
    }
  } else if (/^(incident|request)\.html$/.test(name)) {
    await shoot('light', name.replace('.html', '-page.png'), page =>
      page.goto(pathToFileURL(path.resolve(directory, name)).href));
  }
}
await browser.close();
process.exitCode = faults ? 1 : 0;
