"""The style of the page: light and dark, screen, phone and paper."""

PAGE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; }
main { max-width: 1080px; margin: 0 auto; padding: 56px 24px 48px; }
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif; font-weight: 600;
  line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 2.25rem; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.375rem; margin: 3.25rem 0 1rem; }
h3 { font-size: .875rem; margin: 1.6rem 0 .4rem; font-weight: 600; }
header p { max-width: 68ch; margin: 0; }
.verdict { max-width: 68ch; margin: 1rem 0 0; font-weight: 600; }
.note { max-width: 76ch; margin: .9rem 0 0; font-size: .875rem; color: var(--quiet); }
.warning { max-width: 76ch; margin: .9rem 0 0; padding-left: .7rem; border-left: 3px solid var(--warn);
  font-size: .875rem; color: var(--warn); }
.quiet { color: var(--quiet); font-weight: 400; }
.scroll { overflow-x: auto; }
p + .scroll, .scroll + .scroll, .scroll + .panels { margin-top: 2rem; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--s0); outline-offset: 2px; }

table { border-collapse: collapse; width: 100%; font-size: .9375rem; white-space: nowrap; }
caption { text-align: left; font-size: .9375rem; font-weight: 600; padding-bottom: .6rem; }
th, td { padding: .45rem 1.5rem .45rem 0; text-align: left; vertical-align: middle; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-size: .8125rem; color: var(--quiet); padding-block: .1rem .4rem; vertical-align: bottom; }
thead th[scope=colgroup] { padding-top: 0; }
thead tr:last-child > * { border-bottom: 1px solid var(--ink); }
tbody tr + tr > * { border-top: 1px solid var(--faint); }
td b, tbody th { font-weight: 600; }
tbody th { white-space: normal; position: sticky; left: 0; background: var(--paper); }
td .quiet, th .quiet { font-size: .8125rem; }
td b + .quiet { display: block; line-height: 1.2; }
.dense { font-size: .8125rem; } .dense td .quiet, .dense thead th { font-size: .6875rem; }
.dense th, .dense td { padding-right: .8rem; } .dense thead th { white-space: normal; }
.strip { display: flex; align-items: center; gap: 1rem; }
.strip svg { flex: none; width: 130px; }
.key { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin: 0 .6em 0 -1.2em;
  vertical-align: .05em; background: var(--c); }
th:has(> .key) { padding-left: 1.2em; }

.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 28px 32px; }
figure { margin: 0; min-width: 0; }
.response { max-width: 340px; }
.even { margin: .9rem 0 2.2rem; }
.wide { grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); }
.wide figure { max-width: 540px; }
figcaption { font-size: .875rem; color: var(--quiet); margin-bottom: .5rem; }
figcaption b { color: var(--ink); display: block; font-size: .9375rem; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; overflow: visible; }
details { margin-top: .5rem; font-size: .875rem; }
summary { color: var(--quiet); cursor: pointer; font-size: .8125rem; width: fit-content; }
details .panels { margin-top: 1rem; }
section > details { margin-top: 1.4rem; }
section > details > summary { font-size: .875rem; font-weight: 600; color: var(--ink); }
figure details .scroll { max-height: 18rem; overflow-y: auto; border: 1px solid var(--faint); margin-top: .4rem; }
figure details table { font-size: .75rem; }
figure details th, figure details td { padding: .15rem .8rem .15rem .5rem; }
figure details thead th { position: sticky; top: 0; background: var(--paper); font-size: .75rem; }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem; font-size: .8125rem; margin: 1rem 0 1.5rem; }
.legend i { width: 160px; height: .9rem;
  background: linear-gradient(to right, color-mix(in srgb, var(--down) calc(100% * var(--strength)), transparent),
    transparent 50%, color-mix(in srgb, var(--up) calc(100% * var(--strength)), transparent)); }
article { border-top: 1px solid var(--rule); padding: 1.1rem 0 1.3rem; break-inside: avoid; }
pre { font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 0 0 .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
article dl { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: .55rem 1rem; margin: 0; }
article dt { color: var(--quiet); font-size: .875rem; padding-top: .1rem; }
dd { margin: 0; min-width: 0; }
article dd > .quiet { font-size: .8125rem; }
article details { margin-top: .1rem; }
.voices { width: auto; font-size: .8125rem; margin-top: .3rem; }
.voices th, .voices td { padding: .2rem 1.5rem .2rem 0; }
.voices td:last-child { white-space: normal; min-width: 12rem; }
.voices tbody tr:last-child > * { border-top: 1px solid var(--ink); font-weight: 600; }
.text { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.75; }
.lines { display: grid; grid-template-columns: 4.2rem minmax(0, 1fr); gap: .15rem .6rem; align-items: baseline; }
.lines i { font-style: normal; font-size: .8125rem; color: var(--quiet); }
.text s { text-decoration: none; padding: .12em 0; box-shadow: inset -1px 0 var(--paper); }
.text .up { background: color-mix(in srgb, var(--up) calc(var(--v) * var(--strength)), transparent); }
.text .down { background: color-mix(in srgb, var(--down) calc(var(--v) * var(--strength)), transparent); }

footer { font-size: .8125rem; }
.groups { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(240px, 100%), 1fr)); gap: 1.5rem 2rem; }
.groups h3 { margin-top: 0; }
footer dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .1rem .9rem; margin: 0; }
footer dt { color: var(--quiet); }
footer dd { overflow-wrap: anywhere; }

@media (max-width: 640px) {
  main { padding: 32px 18px; }
  h1 { font-size: 1.75rem; }
  .strip svg { display: none; }
  th, td { padding-right: 1rem; }
  tbody th { max-width: 10rem; overflow-wrap: break-word; }
  article dl { grid-template-columns: minmax(0, 1fr); gap: .1rem; }
  article dt { padding-top: .6rem; }
}
@media print {
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  h2, h3, figcaption { break-after: avoid; } figure, tr, article { break-inside: avoid; }
  figure details { display: none; } summary { list-style: none; }
  details::details-content { content-visibility: visible; block-size: auto; } /* what is folded on a screen */
  .scroll { overflow: visible; }
  table { font-size: .6875rem; } td .quiet, th .quiet, thead th { font-size: .625rem; }
  th, td, .voices td:last-child { padding-right: .5rem; white-space: normal; min-width: 0; }
  .dense { font-size: .5625rem; } .dense td .quiet, .dense thead th { font-size: .5rem; }
  .dense th, .dense td { padding-right: .3rem; }
  tbody th { position: static; } .strip svg { width: 60px; } .strip { gap: .5rem; }
  .panels { grid-template-columns: repeat(2, 1fr); gap: 18px 24px; }
  .text s, .legend i, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
