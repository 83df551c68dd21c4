/** The report must look right wherever it is opened: no font, picture or script from elsewhere. */
export const style = `
:root{color-scheme:light dark;--ground:#fbfaf7;--card:#fff;--ink:#1d1b16;--soft:#68645a;--line:#e3dfd4;--accent:#0b6e4f;--good:#0b6e4f;--bad:#b3261e;--bad-ground:#fcefed;--good-ground:#e9f4ef;--area:#d9d4c5}
@media(prefers-color-scheme:dark){:root{--ground:#161512;--card:#1f1e1a;--ink:#efece4;--soft:#a8a396;--line:#35332c;--accent:#5fcba4;--good:#5fcba4;--bad:#ff8a80;--bad-ground:#3a1f1c;--good-ground:#17322a;--area:#3b382f}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:68rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:clamp(1.6rem,5vw,2.3rem);line-height:1.15;margin:.75rem 0 .5rem;letter-spacing:-.02em;text-wrap:balance}
h2{font-size:1.1rem;margin:2.75rem 0 .9rem}
h3{font-size:1rem;margin:0}
p{margin:.4rem 0;max-width:48rem}
.soft{color:var(--soft)}
code,.mono{font:.85em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.verdict{display:inline-block;padding:.25rem .8rem;border-radius:99px;font-weight:650;background:var(--good-ground);color:var(--good)}
.broken .verdict,.bad{color:var(--bad)}
.broken .verdict{background:var(--bad-ground)}
.facts{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;color:var(--soft);margin:.8rem 0 0;padding:0;list-style:none;font-size:.92rem}
.counts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.4rem,1fr));gap:1px;background:var(--line);border:1px solid var(--line);border-radius:12px;overflow:hidden;margin:1.75rem 0 0}
.counts div{background:var(--card);padding:.85rem 1rem}
.counts dt{color:var(--soft);font-size:.88rem}
.counts dd{margin:0;font-size:1.5rem;font-weight:620;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem}
.chart{display:grid;grid-template-columns:auto 1fr;column-gap:.6rem;margin:0}
.chart .scale{display:flex;flex-direction:column;justify-content:space-between;text-align:right;margin:3.6rem 0 1.1rem;color:var(--soft);font-size:.78rem;line-height:1;font-variant-numeric:tabular-nums}
.chart .plot{position:relative;padding:4rem 0 1.5rem}
.chart svg{display:block;width:100%;height:13rem;overflow:visible}
.chart .grid{stroke:var(--line);vector-effect:non-scaling-stroke}
.chart polygon.sent{fill:var(--area)}
.chart polyline{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.marks{position:absolute;inset:0 0 1.5rem}
.marks i{position:absolute;top:calc(var(--row)*1.25rem);bottom:0;border-left:1px dashed var(--soft)}
.marks b{position:absolute;left:-.6rem;top:0;min-width:1.2rem;height:1.2rem;border-radius:99px;background:var(--ink);color:var(--ground);font:600 .72rem/1.2rem system-ui,sans-serif;text-align:center;padding:0 .2rem}
.ticks{position:relative;height:1.1rem;color:var(--soft);font-size:.78rem}
.ticks span{position:absolute;top:.35rem;transform:translateX(-50%);white-space:nowrap}
.ticks span:first-child{transform:none}
figcaption{grid-column:1/-1;color:var(--soft);font-size:.85rem;margin-top:.5rem}
.key{display:inline-block;width:.9rem;height:.55rem;border-radius:2px;margin:0 .25rem 0 .6rem;background:var(--area)}
.key:first-child{margin-left:0}
.key.acked{background:var(--accent);height:.18rem;vertical-align:.2rem}
ol.steps{list-style:none;margin:0;padding:0}
ol.steps li{display:grid;grid-template-columns:1.6rem 4.2rem 1fr;gap:.2rem .6rem;padding:.65rem 0;border-top:1px solid var(--line)}
ol.steps li:first-child{border:0;padding-top:0}
ol.steps li:last-child{padding-bottom:0}
ol.steps b.n{width:1.35rem;height:1.35rem;border-radius:99px;background:var(--ink);color:var(--ground);font-size:.75rem;line-height:1.35rem;text-align:center}
ol.steps .at{color:var(--soft);font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
th{color:var(--soft);font-weight:500;font-size:.88rem}
td.n,th.n{text-align:right;padding-right:0;padding-left:.9rem}
.scroll{overflow-x:auto}
.finding{border-left:3px solid var(--bad);padding:.2rem 0 .2rem 1rem;margin:1.4rem 0}
.finding.noted{border-color:var(--line)}
details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:.6rem 0}
summary{cursor:pointer;padding:.7rem .9rem;overflow-wrap:anywhere}
details>div{padding:0 .9rem .9rem}
details h4{margin:.6rem 0 .3rem;font-size:.85rem;color:var(--soft);font-weight:500}
.log{overflow-x:auto;background:var(--ground);border-radius:8px;padding:.6rem .7rem;white-space:pre;margin:0}
.judged{columns:2 20rem;padding:0;margin:0;list-style:none}
.judged li{break-inside:avoid;padding:.2rem 0 .2rem 1.5rem;text-indent:-1.5rem}
.judged b{font-weight:600}
.tick{display:inline-block;width:1.5rem;text-indent:0;color:var(--good)}
.bad .tick{color:var(--bad)}
footer{margin-top:3rem;padding-top:1.2rem;border-top:1px solid var(--line);color:var(--soft);font-size:.92rem}
footer code{overflow-wrap:anywhere;color:var(--ink)}
@media(max-width:36rem){main{padding-top:1.5rem}ol.steps li{grid-template-columns:1.6rem 1fr}ol.steps .what{grid-column:2}.card{padding:.9rem}}
`
