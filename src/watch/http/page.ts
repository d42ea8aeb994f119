import { createHash } from 'node:crypto';
import type { Reply } from '../../http/reply.js';
import { SCRIPT } from './page-script.js';
import { STYLE } from './page-style.js';

/** The page without its data, which the script reads from `targets`. Its links work below any path of a reverse proxy. */
const DOCUMENT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>udpcat watch</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>udpcat watch</h1>
<p id="summary" role="status">loading</p>
<p><label for="filter">Filter</label> <input id="filter" type="search" autocomplete="off" spellcheck="false"></p>
</header>
<main>
<p id="problem" role="alert" hidden></p>
<noscript><p>This page needs JavaScript. <a href="health">health</a> and <a href="targets">targets</a> do not.</p></noscript>
<table>
<caption>Targets; those that are not up come first</caption>
<thead><tr>
<th scope="col">Target</th><th scope="col">State</th><th scope="col" class="number">Last</th>
<th scope="col" class="number">Median</th><th scope="col" class="number">Loss</th><th scope="col">Last 100 checks</th>
</tr></thead>
<tbody id="targets"></tbody>
</table>
</main>
<footer>
<p>A low bar is a check that passed, a middle one was slow, a full one failed. The latest is on the right.</p>
<p><a href="targets">targets</a> <a href="health">health</a> <a href="metrics">metrics</a></p>
</footer>
<script>${SCRIPT}</script>
</body>
</html>
`;

/** The source of an inline element for a Content-Security-Policy. */
const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Makes the page for people. Browsers run and load nothing but its own script and style, and the data. */
export function createPage(): Reply {
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(STYLE)}`,
    `script-src ${hashOf(SCRIPT)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    status: 200,
    type: 'text/html; charset=utf-8',
    headers: { 'Content-Security-Policy': policy.join('; '), 'Referrer-Policy': 'no-referrer' },
    body: DOCUMENT,
  };
}
