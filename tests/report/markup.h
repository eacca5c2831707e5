// Whether a page or picture is well-formed.
#pragma once

#include <string>
#include <vector>

namespace pare::test {

/// First way in which the page is not well-formed XML after its first line; "" when it is.
inline std::string broken_markup(const std::string& page) {
  std::vector<std::string> open;
  std::size_t at = page.find('\n') + 1;
  while ((at = page.find('<', at)) != std::string::npos) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "a tag does not end";
    const std::string tag = page.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return "'<' inside a tag: " + tag;
    const std::string name =
        tag.substr(tag.starts_with('/') ? 1 : 0, tag.find_first_of(" /\n", 1) - (tag.starts_with('/') ? 1 : 0));
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1))
        return "</" + tag.substr(1) + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
    at = end;
  }
  if (!open.empty()) return open.back() + " stays open";
  for (at = page.find('&'); at != std::string::npos; at = page.find('&', at + 1)) {
    const std::string rest = page.substr(at, 7);
    bool known = false;
    for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"}) known = known || rest.starts_with(entity);
    if (!known) return "bare '&': " + rest;
  }
  return "";
}

}  // namespace pare::test
