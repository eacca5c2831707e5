// The index of names against a map, under random insertions and erasures.
#include "ir/name_index.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/rng.h"

namespace pare::ir {
namespace {

TEST(NameIndex, FindsWhatAMapFinds) {
  Rng rng(1, kRngTest);
  std::vector<std::string> names;  // by id
  std::map<std::string, std::int32_t> taken;
  NameIndex index;
  const auto name_of = [&](std::int32_t id) -> const std::string& { return names[static_cast<std::size_t>(id)]; };
  for (int step = 0; step < 20'000; ++step) {
    const std::string name = "n" + std::to_string(rng.below(step < 10'000 ? 600 : 60));
    const auto known = taken.find(name);
    ASSERT_EQ(index.find(name, name_of), known == taken.end() ? NameIndex::kAbsent : known->second) << name;
    if (known == taken.end()) {
      names.push_back(name);
      taken[name] = static_cast<std::int32_t>(names.size()) - 1;
      index.insert(name, taken[name]);
    } else {
      index.erase(name, known->second);
      taken.erase(known);
    }
  }
  const NameIndex copy = index;
  for (const auto& [name, id] : taken) EXPECT_EQ(copy.find(name, name_of), id);
}

TEST(NameIndex, IsEmptyAtFirst) {
  EXPECT_EQ(NameIndex().find("", [](std::int32_t) { return std::string(); }), NameIndex::kAbsent);
}

}  // namespace
}  // namespace pare::ir
