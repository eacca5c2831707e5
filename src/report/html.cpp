#include "report/html.h"

#include "report/format.h"

namespace pare::report {

Table::Table(std::vector<std::string> header, std::string caption, bool numeric)
    : header_(std::move(header)), caption_(std::move(caption)), numeric_(numeric) {}

void Table::row(std::vector<std::string> cells, const std::string& css_class) {
  rows_ += css_class.empty() ? "<tr>" : "<tr class=\"" + css_class + "\">";
  for (std::size_t i = 0; i < cells.size(); ++i)
    rows_ += i == 0 ? "<th scope=\"row\">" + cells[i] + "</th>" : "<td>" + cells[i] + "</td>";
  rows_ += "</tr>\n";
}

std::string Table::html(bool tall) const {
  std::string out = "<div class=\"scroll" + std::string(tall ? " tall" : "") +
                    "\" tabindex=\"0\" role=\"region\" aria-label=\"" + escape(caption_) + "\"><table" +
                    (numeric_ ? " class=\"numeric\"" : "") + ">\n<thead><tr>";
  for (std::size_t i = 0; i < header_.size(); ++i)
    out += std::string("<th scope=\"col\"") + (words_.contains(i) ? " class=\"left\">" : ">") + escape(header_[i]) + "</th>";
  return out + "</tr></thead>\n<tbody>\n" + rows_ + "</tbody></table></div>\n";
}

std::string section(const std::string& id, const std::string& title, const std::string& body) {
  if (body.empty()) return "";
  return "<section id=\"" + id + "\"><h2>" + escape(title) + "</h2>\n" + body + "</section>\n";
}

std::string paragraph(const std::string& html, const std::string& css_class) {
  return "<p" + (css_class.empty() ? std::string() : " class=\"" + css_class + "\"") + ">" + html + "</p>\n";
}

std::string fold(const std::string& title, const std::string& body, bool open) {
  return std::string("<details") + (open ? " open=\"open\"" : "") + "><summary>" + escape(title) + "</summary>\n" +
         body + "</details>\n";
}

std::string preformatted(const std::string& text) {
  return "<pre class=\"scroll\" tabindex=\"0\"><code>" + escape(text) + "</code></pre>\n";
}

// Colours: blue and orange of Okabe and Ito (2008), which stay apart for every kind of colour vision; lightened in the
// dark.
const char* style() {
  return R"css(
:root{--ink:#1c2126;--soft:#59636e;--paper:#fff;--panel:#f4f6f8;--line:#d5dbe1;--before:#8a949e;--after:#0072b2;--third:#b45f00;
--good:#005f46;--bad:#a63200;--bad-paper:#fdeee6;--good-paper:#e5f4ef}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaee;--soft:#a3adb8;--paper:#14181c;--panel:#1e242a;--line:#3a434d;--before:#8d98a4;
--after:#56b4e9;--third:#e69f00;--good:#4fd1a5;--bad:#ff9d6b;--bad-paper:#3a2117;--good-paper:#13302a}}
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:80rem;margin:0 auto;padding:1.25rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.25;margin:.25rem 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.25rem 0 .6rem;padding-top:.9rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .4rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
.verdict{font-size:1.15rem;margin:.5rem 0 1rem}
.soft{color:var(--soft);font-size:.9rem}
.good{color:var(--good)}.bad{color:var(--bad)}
.mark{font-weight:600;white-space:nowrap}
.alert{border-left:4px solid var(--bad);background:var(--bad-paper);padding:.6rem .8rem;margin:.6rem 0;border-radius:0 4px 4px 0}
.note{border-left:4px solid var(--line);background:var(--panel);padding:.6rem .8rem;margin:.6rem 0;border-radius:0 4px 4px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:1rem 0}
.tile{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.6rem .75rem}
.tile b{display:block;font-size:1.5rem;line-height:1.3}
.scroll{overflow:auto;max-width:100%;-webkit-overflow-scrolling:touch}
.tall{max-height:34rem;border:1px solid var(--line);border-radius:6px}
.tall thead th{position:sticky;top:0;background:var(--panel)}
table{border-collapse:collapse;font-size:.88rem;min-width:100%}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
thead th{color:var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:500}
.numeric td,.numeric thead th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.left,.numeric td .wrap,.numeric thead th.left:not(:first-child){text-align:left}
.numeric code{font-size:.8rem}
.wrap{display:block;white-space:normal;min-width:14rem;text-align:left}
pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.7rem .8rem;font-size:.85rem;margin:.5rem 0}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
summary{cursor:pointer;padding:.35rem 0;font-weight:600}
figure{margin:1rem 0}
figcaption{font-weight:600;margin-bottom:.3rem}
.key{font-weight:400;font-size:.88rem;color:var(--soft);margin-left:.75rem;white-space:nowrap}
.key i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.3rem;vertical-align:-.08rem}
.k-before{background:var(--before)}.k-after{background:var(--after)}.k-third{background:var(--third)}
svg{display:block;width:100%;height:auto;max-width:100%;color:var(--ink)}
svg text{fill:currentColor;font:9.5px system-ui,sans-serif}
svg .soft{fill:var(--soft);font-size:9.5px}
.b-before{fill:var(--before)}.b-after{fill:var(--after)}
.axis{stroke:var(--line);stroke-width:1;fill:none}
.l-after,.l-third{fill:none;stroke-width:2}
.l-after{stroke:var(--after)}.l-third{stroke:var(--third);stroke-dasharray:6 3}
.d-after{fill:var(--after)}.d-third{fill:var(--third)}
.bars{display:grid;grid-template-columns:minmax(6rem,14rem) 1fr auto;gap:.15rem .6rem;align-items:center;font-size:.85rem}
.bars .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;direction:rtl;text-align:left}
.bars .figures{font-variant-numeric:tabular-nums;white-space:nowrap;text-align:right}
.bars svg{height:1rem}
.charts{display:grid;gap:1rem 2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
.charts>*{min-width:0}
@media (max-width:30rem){main{padding:1rem .75rem 2rem}h1{font-size:1.35rem}.verdict{font-size:1.05rem}
.bars{grid-template-columns:minmax(4.5rem,7rem) 1fr auto;gap:.15rem .4rem;font-size:.78rem}th,td{padding:.3rem .45rem}.key{margin-left:.5rem}svg text,svg .soft{font-size:12px}.interval{display:block}}
@media print{.tall{max-height:none;overflow:visible}}
)css";
}

}  // namespace pare::report
