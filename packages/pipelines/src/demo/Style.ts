/** The report's style sheet: readable in light and dark, on paper and on narrow screens. */
export const style = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fafaf8, #16171a); --card: light-dark(#fff, #1f2125); --line: light-dark(#e3e2dd, #34363c);
  --text: light-dark(#1c1d20, #ecebe6); --muted: light-dark(#5f6168, #a3a5ad);
  --s0: light-dark(#2a6fd6, #6ea6ff); --s1: light-dark(#c2571a, #f5a070); --s2: light-dark(#3c7d3a, #86c983);
  --good: light-dark(#1b6e3c, #74cf97); --bad: light-dark(#b3261e, #ff8f86);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 8px; }
h2 { font-size: 17px; margin: 0 0 8px; }
p { margin: 0 0 8px; }
.verdict { font-size: 18px; font-weight: 600; }
.when, .about, summary { color: var(--muted); }
.good { color: var(--good); }
.bad { color: var(--bad); }
section, .figures { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px; margin: 20px 0 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 16px 24px; }
.figures div { display: flex; flex-direction: column; }
.figures dd { margin: 0; font-size: 22px; font-weight: 600; }
.figures dt { color: var(--muted); font-size: 13px; }
figure { margin: 8px 0; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg .tick { fill: var(--muted); }
svg .value { fill: var(--text); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .line.s0 { stroke: var(--s0); } svg .line.s1 { stroke: var(--s1); } svg .line.s2 { stroke: var(--s2); }
svg rect.s0 { fill: var(--s0); }
svg .marker line { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 3 3; }
svg .marker.good line { stroke: var(--good); } svg .marker.good text { fill: var(--good); }
svg .marker.bad line { stroke: var(--bad); } svg .marker.bad text { fill: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { color: var(--muted); font-weight: 500; white-space: normal; vertical-align: bottom; }
th:first-child { text-align: left; font-weight: 500; }
tbody tr:last-child > * { border-bottom: 0; }
.events { margin: 0; padding-left: 28px; }
.events .at { display: inline-block; min-width: 56px; color: var(--muted); font-variant-numeric: tabular-nums; }
.events .good::marker { color: var(--good); font-weight: 600; }
.events .bad::marker { color: var(--bad); font-weight: 600; }
details { margin-top: 4px; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
`
