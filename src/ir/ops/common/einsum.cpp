#include "ir/ops/common/einsum.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace pare::ir::ops {
namespace {

std::vector<std::string> split_terms(const std::string& text) {
  std::vector<std::string> terms(1);
  for (char c : text) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  return terms;
}

/// Labels of one term; "..." stands for `hidden` axes.
template <class Context>
Labels read_term(const Context& ctx, const std::string& term, std::int64_t hidden) {
  Labels out;
  bool seen = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      out.push_back(term[i]);
      continue;
    }
    if (term.compare(i, 3, "...") != 0 || seen) ctx.fail("equation is malformed", "letters and one '...' a term", term);
    for (std::int64_t k = hidden; k-- > 0;) out.push_back(kEllipsis + static_cast<Label>(k));
    seen = true;
    i += 2;
  }
  return out;
}

std::int64_t letters(const std::string& term) {
  return std::ranges::count_if(term, [](unsigned char c) { return std::isalpha(c) != 0; });
}

/// Without "->": the hidden axes, then the letters that appear once, in alphabetical order.
Labels implicit_result(const std::vector<Labels>& operands) {
  std::map<Label, int> count;
  Labels hidden, out;
  for (const Labels& labels : operands) {
    for (Label label : labels) ++count[label];
  }
  for (const auto& [label, times] : count) {
    if (label >= kEllipsis)
      hidden.insert(hidden.begin(), label);
    else if (times == 1)
      out.push_back(label);
  }
  out.insert(out.begin(), hidden.begin(), hidden.end());
  return out;
}

template <class Context>
Equation parse(const Context& ctx, const std::vector<std::int64_t>& ranks) {
  std::string text = ctx.node.string_or("equation", "");
  std::erase(text, ' ');
  if (text.empty()) ctx.fail("attribute 'equation' is missing");
  const std::size_t arrow = text.find("->");
  const std::vector<std::string> terms = split_terms(text.substr(0, arrow));
  if (terms.size() != ranks.size())
    ctx.fail("equation has the wrong number of terms", std::to_string(ranks.size()), std::to_string(terms.size()));
  Equation out;
  std::int64_t hidden = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool open = terms[i].find("...") != std::string::npos;
    const std::int64_t named = letters(terms[i]), own = ranks[i] - named;
    if (own < 0 || (!open && own != 0))
      ctx.fail("term '" + terms[i] + "' does not fit input " + std::to_string(i), std::to_string(named) + " axes",
               std::to_string(ranks[i]));
    out.operands.push_back(read_term(ctx, terms[i], own));
    hidden = std::max(hidden, own);
  }
  if (arrow == std::string::npos) {
    out.result = implicit_result(out.operands);
    return out;
  }
  out.result = read_term(ctx, text.substr(arrow + 2), hidden);
  for (Label label : out.result) {
    const auto has = [&](const Labels& labels) { return std::ranges::find(labels, label) != labels.end(); };
    if (std::ranges::count(out.result, label) > 1 || !std::ranges::any_of(out.operands, has))
      ctx.fail("result of the equation is malformed", "labels of the operands, once each", text);
  }
  return out;
}

}  // namespace

Equation parse_equation(const InferContext& ctx, const std::vector<std::int64_t>& ranks) { return parse(ctx, ranks); }
Equation parse_equation(const EvaluateContext& ctx, const std::vector<std::int64_t>& ranks) {
  return parse(ctx, ranks);
}

}  // namespace pare::ir::ops
