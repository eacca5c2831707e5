// Indices, sizes and shapes that come as data and make no sense: an Error that names the node, never a crash.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/hostile_cases.h"

namespace pare::testing {
namespace {

TEST(Hostile, ErrorsNameTheNode) {
  for (const Hostile& hostile : hostile_cases()) {
    SCOPED_TRACE(hostile.type);
    try {
      run_one(hostile.type, hostile.opset, hostile.inputs, hostile.attributes);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.subject(), hostile.type + " 'the_node'") << error.what();
      EXPECT_EQ(error.code(), hostile.code) << error.what();
    }
  }
}

TEST(Hostile, GridsOfNonFinitePositionsAreRead) {
  const Tensor x = floats({1, 1, 2, 2});
  const Tensor grid = Tensor::from<float>({1, 1, 2, 2}, {NAN, INFINITY, -INFINITY, 1e30F});
  for (const char* padding : {"zeros", "border", "reflection"}) {
    for (const char* mode : {"nearest", "linear", "cubic"})
      EXPECT_EQ(
          run_one("GridSample", 20, {x, grid}, {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}})
              .dims(),
          (Dims{1, 1, 1, 2}));
  }
}

}  // namespace
}  // namespace pare::testing
