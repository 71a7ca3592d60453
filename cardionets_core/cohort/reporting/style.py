"""How a report looks: light, dark and on paper."""

CSS = """
:root { --ink: #1c2430; --soft: #5a6675; --paper: #ffffff; --panel: #f4f6f9; --line: #c9d1db;
  --accent: #1f5f99; --out: #fdf3e7; --out-line: #d9a45b; --warn: #8a4b00; --warn-paper: #fff2dc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf2; --soft: #9fabbb; --paper: #14181f; --panel: #1d232d; --line: #3a4554;
    --accent: #7db7ee; --out: #2e2619; --out-line: #8d6b3a; --warn: #ffca80;
    --warn-paper: #33280f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 28px 60px; }
h1 { font-size: 24px; margin: 0 0 10px; } h2 { font-size: 18px; margin: 36px 0 6px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 14px 0 0; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
.simulated { background: var(--warn-paper); color: var(--warn); border: 1px solid currentColor;
  border-radius: 5px; padding: 8px 12px; margin: 0; font-weight: 600; }
.rule, .note { color: var(--soft); margin: 0 0 8px; max-width: 80ch; }
figure { margin: 12px 0 0; overflow-x: auto; } svg { width: 100%; min-width: 760px; height: auto; }
svg text { fill: var(--ink); font-size: 14px; white-space: pre; } svg .head { font-weight: 600; }
svg rect { fill: var(--panel); stroke: var(--line); }
svg .out rect { fill: var(--out); stroke: var(--out-line); }
svg .arrow { fill: none; stroke: var(--soft); stroke-width: 1.4; }
svg marker path { fill: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 4px 14px 4px 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { font-weight: 600; color: var(--soft); } thead th { border-bottom: 2px solid var(--line); }
.n { text-align: right; white-space: nowrap; } th.n { white-space: normal; }
tr.all td { font-weight: 600; }
.facts th { white-space: nowrap; width: 1%; } summary { cursor: pointer; color: var(--accent); }
@media print {
  :root { --ink: #000000; --soft: #444444; --paper: #ffffff; --panel: #ffffff; --line: #999999;
    --accent: #000000; --out: #ffffff; --out-line: #999999; --warn: #000000;
    --warn-paper: #ffffff; }
  body { font-size: 11px; } table { font-size: 10px; } main { max-width: none; padding: 0; }
  nav, details { display: none; } figure, .wide { overflow: visible; }
  svg { min-width: 0; max-height: 200mm; } figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; } thead { display: table-header-group; } }
"""
