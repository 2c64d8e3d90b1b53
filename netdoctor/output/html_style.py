"""The style of the HTML report: two sets of colours, for light and dark readers, and one column from phone to desk."""

from __future__ import annotations

from netdoctor.output.svg import COLOURS, STYLE

VARIABLES = {kind: "".join(f"--{name}:{pair[kind]};" for name, pair in COLOURS.items()) for kind in (0, 1)}
FITTED = 700  # pixels of a window from which drawings take its width; in a narrower one they are scrolled
PAGE = """
:root{color-scheme:light dark;--warn:#8a5a00;%s}
@media (prefers-color-scheme:dark){:root{--warn:#f0b84a;%s}}
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
body{margin:0;overflow-wrap:anywhere}
code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.875em}
a{color:var(--path)}
:focus-visible{outline:3px solid var(--path);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-100vw;padding:.5rem 1rem;background:var(--paper)}
.skip:focus{left:.5rem;top:.5rem;z-index:1}
header,main,footer{max-width:84rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.75rem}
h1{font-size:1.6rem;line-height:1.25;margin:.35rem 0 .5rem;
display:flex;flex-wrap:wrap;gap:.35rem .7rem;align-items:center}
h2{font-size:1.2rem;margin:2.25rem 0 .75rem}
h3{font-size:1.05rem;line-height:1.4;margin:0 0 .75rem}
h4{font-size:1rem;margin:0 0 .25rem}
p{margin:.4rem 0;max-width:64rem}
.quiet{color:var(--dim)}
.badge{font-size:1rem;font-weight:700;letter-spacing:.03em;padding:.1rem .7rem;border-radius:99px;border:2px solid}
.bad{color:var(--bad)}.good{color:var(--good)}.warn{color:var(--warn)}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;list-style:none;margin:.75rem 0 0;padding:0}
.chips li{background:var(--lane);border-radius:6px;padding:.05rem .6rem;font-size:.9rem}
.card{background:var(--node);border:1px solid var(--edge);border-left:5px solid var(--edge);border-radius:10px;
padding:1.1rem 1.25rem;margin:0 0 1rem}
.card.is-bad{border-left-color:var(--bad)}.card.is-warn{border-left-color:var(--warn)}
.fields{display:grid;grid-template-columns:5.5rem minmax(0,1fr);gap:.4rem .75rem;margin:0;align-items:baseline}
dt{color:var(--dim)}dd{margin:0;min-width:0}
pre{margin:.25rem 0 0;padding:.5rem .75rem;background:var(--lane);border-radius:6px;white-space:pre-wrap}
pre.words{white-space:pre;overflow-x:auto;line-height:1.35}
details{margin:.85rem 0 0;border:1px solid var(--edge);border-radius:8px;background:var(--paper)}
summary{cursor:pointer;padding:.5rem .85rem;font-weight:600}
details[open]>summary{border-bottom:1px solid var(--edge)}
.inside{padding:.75rem 1rem}
.inside>:first-child{margin-top:0}
ul.plain{list-style:none;margin:.5rem 0;padding:0}
ul.plain>li{padding:.4rem 0;border-top:1px solid var(--lane)}
ul.plain>li:first-child{border-top:0}
.seen{display:block;font-weight:600}
.areas{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%%,20rem),1fr));gap:.6rem;list-style:none;
margin:0;padding:0}
.areas li{background:var(--node);border:1px solid var(--edge);border-radius:8px;padding:.6rem .85rem}
.areas b{display:block}
figure{margin:1.5rem 0 0}.later{margin:1.75rem 0 .25rem}
figcaption{margin-bottom:.5rem}
.picture{overflow-x:auto;border:1px solid var(--edge);border-radius:10px;background:var(--paper)}
.picture svg{display:block;margin:0 auto;max-width:100%%;height:auto}
.hint{display:none;margin:0 0 .35rem;color:var(--warn);font-size:.9rem}
.steps{margin:.25rem 0;padding-left:1.6rem}
figcaption .steps{max-width:64rem}
footer{margin-top:2.5rem;padding-bottom:2rem;color:var(--dim);font-size:.9rem}
@media (max-width:%dpx){.hint{display:block}.picture svg{max-width:none}}
@media (max-width:36rem){.fields{grid-template-columns:minmax(0,1fr);gap:.1rem}.fields dd{margin-bottom:.5rem}
header,main,footer{padding-left:.85rem;padding-right:.85rem}.card{padding:.9rem}}
@media print{.hint{display:none}.picture{overflow:visible}
.picture svg{max-width:100%%;height:auto}.card,details{break-inside:avoid}}
"""
CSS = PAGE % (VARIABLES[0], VARIABLES[1], FITTED - 1) + STYLE
