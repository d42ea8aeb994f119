/** The style of the page. A narrow window shows each target as a block of its own. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: #fff; --front: #1b1f24; --dim: #57606a; --line: #d0d7de;
  --up: #1a7f37; --slow: #9a6700; --down: #cf222e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1117; --front: #e6edf3; --dim: #9198a1; --line: #3d444d;
    --up: #3fb950; --slow: #d29922; --down: #ff7b72;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 75rem; background: var(--back); color: var(--front);
  font: 1rem/1.4 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: baseline; }
h1 { font-size: 1.3rem; margin: 0; }
#summary { flex: 1; }
input { font: inherit; color: inherit; background: transparent; border: 1px solid var(--dim); border-radius: .3rem;
  padding: .25rem .5rem; max-width: 100%; }
a { color: inherit; margin-right: 1rem; }
:focus-visible { outline: 3px solid var(--slow); outline-offset: 2px; }
#problem { border: 2px solid var(--down); border-radius: .3rem; padding: .5rem; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; color: var(--dim); padding: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1rem .4rem 0; border-top: 1px solid var(--line); }
thead th { border: 0; color: var(--dim); font-weight: normal; }
tbody th { font-weight: 600; overflow-wrap: anywhere; }
th.number, .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.detail { display: block; font-weight: normal; color: var(--dim); font-size: .875rem; overflow-wrap: anywhere; }
.state { white-space: nowrap; font-weight: 600; }
.up .state { color: var(--up); } .down .state { color: var(--down); } .unknown .state { color: var(--slow); }
.bars { padding-right: 0; width: 20rem; }
svg { display: block; width: 100%; height: 1.5rem; }
.pass { fill: var(--up); } .late { fill: var(--slow); } .fail { fill: var(--down); }
footer { color: var(--dim); font-size: .875rem; margin-top: 1rem; }
@media (max-width: 45rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .6rem 0; border-top: 1px solid var(--line); }
  tbody th, td { border: 0; padding: 0; }
  tbody th { flex: 1 0 100%; }
  .bars { flex: 1 0 100%; width: 100%; padding-top: .3rem; }
  td:nth-of-type(1) { flex: 1 0 100%; }
  .detail { margin-bottom: .2rem; }
  td .detail { display: inline; margin-left: .5rem; }
  td.number::before { content: attr(data-label) ' '; color: var(--dim); }
}
`;
