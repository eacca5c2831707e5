#include "pare/text.h"

#include <gtest/gtest.h>

#include "pare/error.h"
#include "pare/tensor.h"

namespace pare {
namespace {

TEST(ParseDims, ReadsSizesJoinedByX) {
  EXPECT_EQ(parse_dims("1x3x224x224", "--shape"), (Dims{1, 3, 224, 224}));
  EXPECT_EQ(parse_dims("7", "--shape"), Dims{7});
}

TEST(ParseDims, RefusesWhatIsNoShapeNamingIt) {
  for (const char* text : {"", "x", "1x", "x1", "1x0", "1x-2", "1,2", "axb", "1x2 ", "99999999999999999999"}) {
    try {
      parse_dims(text, "--shape image");
      FAIL() << "accepted '" << text << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_EQ(error.subject(), "--shape image");
    }
  }
}

}  // namespace
}  // namespace pare
