/** The look of a report, on screens and on paper. */
export const style = `
:root { color-scheme: light; --ink: #1c2430; --soft: #5a6675; --line: #dde2e9; --back: #f5f7fa; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 60rem; color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .75rem; }
header p, footer { color: var(--soft); }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem; margin: 1rem 0;
  overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; background: none;
  border: 0; padding: 0; }
.tile { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem; }
.tile b { display: block; font-size: 1.25rem; }
.tile span { color: var(--soft); font-size: .85rem; }
section.bad, .tile.bad { border-color: #c0392b; background: #fdf0ee; }
section.warn { border-color: #d9a400; background: #fffaeb; }
p.bad { color: #a5281b; }
figure { margin: 0 0 1rem; }
svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; font-size: .85rem; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
code { font: 13px/1.4 ui-monospace, monospace; display: inline-block; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
`;
