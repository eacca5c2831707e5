#include "base/text.h"

#include <gtest/gtest.h>

#include "pare/error.h"

namespace pare {
namespace {

TEST(Text, NearestFindsTyposOnly) {
  const std::vector<std::string> words{"magnitude", "pattern", "scale", "mean", "std"};
  EXPECT_EQ(nearest("magnitud", words), "magnitude");
  EXPECT_EQ(nearest("mgantiude", words), "magnitude");  // two transpositions
  EXPECT_EQ(nearest("Scale", words), "scale");
  EXPECT_EQ(nearest("colour", words), "");
  EXPECT_EQ(nearest("x", words), "");
  EXPECT_EQ(did_you_mean("patern", words), " (did you mean 'pattern'?)");
  EXPECT_EQ(did_you_mean("zebra", words), "");
}

TEST(Text, Globs) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("layer*.conv?", "layer1/0.conv2"));
  EXPECT_FALSE(glob_match("layer*.conv?", "layer1.conv"));
  EXPECT_TRUE(glob_match("a[0-2x]b", "axb"));
  EXPECT_FALSE(glob_match("a[!0-2]b", "a1b"));
  EXPECT_TRUE(glob_match("a[!0-2]b", "a7b"));
  EXPECT_TRUE(glob_match("a[b", "a[b"));
  EXPECT_TRUE(glob_match("[]]", "]"));
  EXPECT_TRUE(glob_match("*a*b*c", "xxaxxbxxbc"));
  EXPECT_FALSE(glob_match("abc", "abcd"));
  EXPECT_TRUE(glob_match("**", "anything"));
}

TEST(Text, SplitsJoinsTrims) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(join(split("a,,b", ','), "--"), "a----b");
  EXPECT_EQ(trim(" \ta b\r\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(Text, FormatsQuantities) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(4914432), "4.9 MB");
  EXPECT_EQ(format_bytes(999999), "1.0 MB");
  EXPECT_EQ(format_count(1234567), "1.2 M");
  EXPECT_EQ(format_count(950), "950");
  EXPECT_EQ(format_duration(3.42), "3.4 s");
  EXPECT_EQ(format_duration(3725), "1 h 02 min");
  EXPECT_EQ(format_duration(65), "1 min 05 s");
  EXPECT_EQ(format_duration(0.0123), "12 ms");
  EXPECT_EQ(format_duration(0.0000123), "12 µs");
}

TEST(Text, ParsesSizes) {
  EXPECT_EQ(parse_bytes("512M", "m"), 512000000);
  EXPECT_EQ(parse_bytes("2GiB", "m"), std::int64_t{2} << 30);
  EXPECT_EQ(parse_bytes("1e9", "m"), 1000000000);
  EXPECT_EQ(parse_bytes(" 1.5 kB", "m"), 1500);
  EXPECT_EQ(parse_bytes("7", "m"), 7);
  for (const char* bad : {"", "x", "-1", "5q", "5MX", "1e30", "nan", "2iB"}) {
    try {
      parse_bytes(bad, "--max-memory");
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_EQ(error.subject(), "--max-memory");
    }
  }
}

}  // namespace
}  // namespace pare
