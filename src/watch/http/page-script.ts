import { MARKS } from '../table.js';

/**
 * The script of the page. It writes everything as text: `textContent` and attributes of its own. Nothing from the network
 * becomes HTML. It has ASCII characters only: the build cannot escape others in a raw text.
 */
export const SCRIPT = String.raw`
'use strict';
const VERDICTS = ${JSON.stringify(Object.fromEntries(Object.entries(MARKS).map(([verdict, mark]) => [mark, verdict])))};
const SIGNS = { up: '\u25b2 up', down: '\u25bc down', unknown: '? unknown' };
const ORDER = { down: 0, unknown: 1, up: 2 };
const EVERY_MS = 2000;
const SVG = 'http://www.w3.org/2000/svg';
const byId = (id) => document.getElementById(id);
const rows = new Map();
let targets = [];

const UNITS = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];

/** The two largest units: '3h 2m'. */
function since(ms) {
  let left = Math.floor(ms / 1000);
  const parts = UNITS.map(([unit, seconds]) => {
    const count = Math.floor(left / seconds);
    left %= seconds;
    return { count, text: count + unit };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  return first < 0 ? '0s' : parts.slice(first, first + 2).map(({ text }) => text).join(' ');
}

const ms = (time) => (time === null ? '\u2013' : Number(time.toPrecision(3)) + ' ms');

function make(parent, name, className) {
  const element = document.createElement(name);
  if (className) element.className = className;
  parent.append(element);
  return element;
}

function createRow() {
  const row = document.createElement('tr');
  const head = make(row, 'th');
  head.scope = 'row';
  const cells = { name: make(head, 'span'), detail: make(head, 'span', 'detail') };
  const state = make(row, 'td');
  cells.state = make(state, 'span', 'state');
  cells.since = make(state, 'span', 'detail');
  for (const label of ['last', 'median', 'loss']) {
    cells[label] = make(row, 'td', 'number');
    cells[label].dataset.label = label;
  }
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('viewBox', '0 0 300 20');
  svg.setAttribute('preserveAspectRatio', 'none');
  make(row, 'td', 'bars').append(svg);
  cells.svg = svg;
  cells.paths = {};
  for (const kind of ['pass', 'late', 'fail']) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', kind);
    svg.append(path);
    cells.paths[kind] = path;
  }
  return { row, cells };
}

function drawBars(cells, history) {
  const shapes = { pass: '', late: '', fail: '' };
  const counts = {};
  const from = 100 - history.length;
  for (const [index, mark] of [...history].entries()) {
    const verdict = VERDICTS[mark] || 'unknown';
    counts[verdict] = (counts[verdict] || 0) + 1;
    const kind = verdict === 'ok' ? 'pass' : verdict === 'slow' ? 'late' : 'fail';
    const height = { pass: 8, late: 13, fail: 20 }[kind];
    shapes[kind] += 'M' + (from + index) * 3 + ' ' + (20 - height) + 'h2v' + height + 'h-2z';
  }
  for (const kind in shapes) cells.paths[kind].setAttribute('d', shapes[kind]);
  const words = Object.entries(counts).map(([verdict, count]) => count + ' ' + verdict).join(', ');
  cells.svg.setAttribute('aria-label', 'last ' + history.length + ' checks: ' + (words || 'none'));
}

function fill({ row, cells }, target) {
  const { state, says, address } = target;
  row.className = state;
  const labels = Object.entries(target.labels).map(([name, value]) => name + '=' + value);
  const details = target.target === address ? labels : [address, ...labels];
  if (state !== 'up' && says !== null) details.push(says);
  const texts = {
    name: target.target,
    detail: details.join(' \u00b7 '),
    state: SIGNS[state] || state,
    since: 'for ' + since(target.sinceMs),
    last: ms(target.rttMs),
    median: ms(target.medianMs),
    loss: target.loss === null ? '\u2013' : Math.round(target.loss * 100) + '%',
  };
  for (const key in texts) if (cells[key].textContent !== texts[key]) cells[key].textContent = texts[key];
  if (row.dataset.history !== target.checks + target.history) {
    row.dataset.history = target.checks + target.history;
    drawBars(cells, target.history);
  }
}

function show() {
  const wanted = byId('filter').value.trim().toLowerCase();
  const matches = ({ target, address, state, labels }) =>
    [target, address, state, ...Object.values(labels)].some((text) => text.toLowerCase().includes(wanted));
  const shown = targets.filter(matches).sort((a, b) => ORDER[a.state] - ORDER[b.state]);
  const left = new Set(rows.keys());
  let before = null;
  for (const target of shown) {
    left.delete(target.target);
    if (!rows.has(target.target)) rows.set(target.target, createRow());
    const known = rows.get(target.target);
    fill(known, target);
    const place = before === null ? byId('targets').firstChild : before.nextSibling;
    if (place !== known.row) byId('targets').insertBefore(known.row, place);
    before = known.row;
  }
  for (const name of left) {
    rows.get(name).row.remove();
    rows.delete(name);
  }
  const count = (state) => targets.filter((target) => target.state === state).length;
  const counts = ['up', 'down', 'unknown'].map((state) => count(state) + ' ' + state);
  const summary = targets.length === 0 ? 'no targets' : counts.join(', ');
  if (byId('summary').textContent !== summary) byId('summary').textContent = summary;
  document.title = (count('down') > 0 ? count('down') + ' down \u2013 ' : '') + 'udpcat watch';
}

async function refresh() {
  const problem = byId('problem');
  try {
    const response = await fetch('targets', { signal: AbortSignal.timeout(10000) });
    if (!response.ok) throw new Error('status ' + response.status);
    targets = (await response.json()).targets;
    show();
    problem.hidden = true;
    problem.textContent = '';
  } catch (error) {
    if (problem.hidden) problem.textContent = 'No news since ' + new Date().toLocaleTimeString() + ': ' + error.message;
    problem.hidden = false;
  }
  setTimeout(refresh, EVERY_MS);
}

byId('filter').addEventListener('input', show);
refresh();
`;
