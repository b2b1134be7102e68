/** The style of report.html: for screen and paper. */

export const style = `
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1c2430; max-width: 62rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 2px solid #d5dbe3; }
h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p { margin: .4rem 0 .8rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e4e8ee; overflow-wrap: anywhere; }
th { color: #55606f; font-weight: 600; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.v, th.v { white-space: nowrap; }
.small { font-size: .8em; color: #55606f; overflow-wrap: anywhere; }
code, .mono { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: .86em; overflow-wrap: anywhere; }
bdi { unicode-bidi: isolate; }
.code { font-size: .75em; background: #fff2cc; border: 1px solid #d9b64a; border-radius: 3px; padding: 0 .2em; margin: 0 .1em; }
.box { border-left: .5rem solid; border-radius: 4px; padding: .8rem 1.1rem; margin: 1.2rem 0; background: #f6f8fa; }
.good { border-color: #2e7d4f; } .warn { border-color: #c98a1b; } .bad { border-color: #b3261e; }
.box strong { font-size: 1.08rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .6rem 0 1rem; }
.box .facts { margin-bottom: 0; gap: .45rem 1.2rem; }
.facts dt { color: #55606f; } .facts dd { margin: 0; overflow-wrap: anywhere; }
.yes { color: #2e7d4f; font-weight: 600; } .no { color: #b3261e; font-weight: 600; }
svg { width: 100%; height: auto; display: block; margin: .8rem 0; }
footer { margin-top: 3rem; color: #55606f; font-size: .85rem; }
@page { size: A4; margin: 18mm 15mm 20mm; @bottom-right { content: "page " counter(page) " of " counter(pages); font: 9pt sans-serif; color: #55606f; } }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2, h3 { break-after: avoid; } tr, .box { break-inside: avoid; } thead { display: table-header-group; }
  a { color: inherit; text-decoration: none; }
}
`;
