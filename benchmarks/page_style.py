"""The style of the report: light and dark, screen, phone and paper. The first hues are Okabe and Ito's, 2008."""

COLOURS = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1b1c1e; --quiet: #62666c; --rule: #d9dbde; --faint: #eceeef;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #b0609a; --s4: #c08a00; --s5: #4aa3d8; --s6: #7a5cc0;
  --s7: #7d8a1c; --s8: #a3392e; --s9: #1d7f8c; --s10: #8a6244; --s11: #d2527f;
  --up: #009e73; --down: #cc79a7; --strength: .9;
}
@media (prefers-color-scheme: dark) { :root {
  --paper: #141517; --ink: #e4e5e7; --quiet: #9a9ea5; --rule: #3a3d42; --faint: #26282b;
  --s0: #56b4e9; --s1: #f08a3c; --s2: #2cc295; --s3: #d99bc0; --s4: #e6b93c; --s5: #8ccbf0; --s6: #a893e6;
  --s7: #b3c04a; --s8: #e0766b; --s9: #53bcca; --s10: #c49a78; --s11: #f08fb0;
  --up: #0fae82; --down: #d0649f; --strength: .6;
} }
"""

PAGE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; }
main { max-width: 1080px; margin: 0 auto; padding: 56px 24px 48px; }
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif; font-weight: 600;
  line-height: 1.2; text-wrap: balance; }
h1 { font-size: 2.25rem; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.375rem; margin: 3.25rem 0 1rem; }
h3 { font-size: .8125rem; margin: 0 0 .4rem; font-weight: 600; }
header p { max-width: 68ch; margin: 0; }
.verdict { max-width: 68ch; margin: 1rem 0 0; font-weight: 600; }
.note { max-width: 76ch; margin: .9rem 0 0; font-size: .875rem; color: var(--quiet); }
.quiet { color: var(--quiet); font-weight: 400; }
.scroll { overflow-x: auto; }

table { border-collapse: collapse; width: 100%; font-size: .9375rem; white-space: nowrap; }
th, td { padding: .45rem 1.5rem .45rem 0; text-align: left; vertical-align: middle; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-size: .8125rem; color: var(--quiet); padding-block: .1rem .4rem; }
thead th[scope=colgroup] { padding-top: 0; }
thead tr:last-child > * { border-bottom: 1px solid var(--ink); }
tbody tr + tr > * { border-top: 1px solid var(--faint); }
td b, tbody th { font-weight: 600; }
tbody th { white-space: normal; }
td .quiet, th .quiet { font-size: .8125rem; }
td b + .quiet { display: block; line-height: 1.2; }
.strip { display: flex; align-items: center; gap: 1rem; }
.strip svg { flex: none; width: 130px; }
.key { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .6em; background: var(--c); }

.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 28px 32px; }
figure { margin: 0; }
.response { max-width: 340px; }
.even { grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); margin: .9rem 0 2.2rem; }
.wide { grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); }
.colours { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 0 0 1rem; font-size: .875rem; font-weight: 600; }
.colours .key { margin-right: .45em; }
figcaption { font-size: .875rem; color: var(--quiet); margin-bottom: .5rem; }
figcaption b { color: var(--ink); display: block; font-size: .9375rem; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; overflow: visible; }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem; font-size: .8125rem; margin: 1rem 0 1.5rem; }
.legend i { width: 160px; height: .9rem;
  background: linear-gradient(to right, color-mix(in srgb, var(--down) calc(100% * var(--strength)), transparent),
    transparent 50%, color-mix(in srgb, var(--up) calc(100% * var(--strength)), transparent)); }
article { border-top: 1px solid var(--rule); padding: 1.1rem 0 1.3rem; break-inside: avoid; }
pre { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 0 0 .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
article dl { display: grid; grid-template-columns: 8rem 1fr; gap: .55rem 1rem; margin: 0; }
article dt { color: var(--quiet); font-size: .875rem; padding-top: .1rem; }
dd { margin: 0; }
article dd > .quiet { font-size: .8125rem; }
.text { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.75; }
.text s { text-decoration: none; padding: .12em 0; box-shadow: inset -1px 0 var(--paper); }
.lines { display: grid; grid-template-columns: 4.2rem 1fr; gap: .15rem .6rem; align-items: baseline; }
.lines i { font-style: normal; font-size: .8125rem; color: var(--quiet); }
.up { background: color-mix(in srgb, var(--up) calc(var(--v) * var(--strength)), transparent); }
.down { background: color-mix(in srgb, var(--down) calc(var(--v) * var(--strength)), transparent); }

footer { font-size: .8125rem; }
.groups { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1.5rem 2rem; }
footer dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .9rem; margin: 0; }
footer dt { color: var(--quiet); }
footer dd { overflow-wrap: anywhere; }

@media (max-width: 640px) {
  main { padding: 32px 18px; }
  h1 { font-size: 1.75rem; }
  .strip svg { display: none; }
  article dl { grid-template-columns: 1fr; gap: .1rem; }
  article dt { padding-top: .6rem; }
}
@media print {
  :root { color-scheme: light; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; }
  h2 { break-after: avoid; } figure, table, article { break-inside: avoid; }
  .text s, .legend i, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

CHARTS = """
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); }
.s8 { --c: var(--s8); } .s9 { --c: var(--s9); } .s10 { --c: var(--s10); } .s11 { --c: var(--s11); }
.plain, .level { --c: var(--quiet); }
svg path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
path.grid { stroke: var(--faint); }
path.seed { stroke: var(--c); stroke-width: 1; opacity: .38; }
path.mean { stroke: var(--c); stroke-width: 2.25; }
path.band { fill: var(--c); opacity: .16; }
path.agree { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 1 4; }
path.level { stroke: var(--c); stroke-width: 1.25; stroke-dasharray: 4 4; stroke-linecap: butt; }
circle.dot { fill: var(--c); }
circle.corner { fill: var(--quiet); }
rect.bar { fill: var(--c); }
path.whisker { stroke: var(--ink); stroke-width: 1.25; opacity: .75; stroke-linecap: butt; }
text.tick { fill: var(--quiet); font-size: 11px; }
text.label { fill: var(--c); font-weight: 600; font-size: 11.5px; }
text.label.level { font-weight: 400; }
"""
