// The lowerings of transformers, detection and super-resolution networks against the scalar reference, at odd sizes,
// and that they are taken.
#include "pare/error.h"
#include "runtime/graphs.h"

namespace pare {
namespace {

using test::Builder;
using Ints = std::vector<std::int64_t>;
using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;

ir::Shape shape_of(const Dims& dims) { return ir::Shape::of(dims); }
Tensor ints(const Ints& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
Tensor floats(const std::vector<float>& values) {
  return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
}

/// Agrees with the reference, and its last step is `kernel`.
void expect_kernel(Builder& b, ir::ValueId y, const Dims& in, const std::string& kernel) {
  const ir::Model& model = b.finish({y});
  test::expect_like_reference(model, {{"x", test::random_tensor(in, 7)}});
  const auto names = test::kernels_of(*runtime::backend().compile(model, {}), {{"x", in}});
  EXPECT_TRUE(std::ranges::find(names, kernel) != names.end()) << kernel;
}

TEST(Normalizations, AgreeWithReference) {
  const Dims in = {3, 6, 5, 7};
  for (std::int64_t axis : {-1, 2, 1}) {
    Builder b;
    b.model.opsets[""] = 23;
    const ir::ValueId x = b.input("x", shape_of(in));
    const Dims tail(in.begin() + (axis < 0 ? 3 : axis), in.end());
    const ir::ValueId layer = b.node("LayerNormalization", {x, b.weight(tail), b.weight(tail)}, {{"axis", axis}});
    expect_kernel(b, b.node("RMSNormalization", {layer, b.weight(tail)}, {{"axis", axis}}), in, "rms_norm_f32");
  }
  Builder b;
  b.model.opsets[""] = 21;
  const ir::ValueId x = b.input("x", shape_of(in));
  const ir::ValueId instance = b.node("InstanceNormalization", {x, b.weight({6}), b.weight({6})});
  expect_kernel(
      b, b.node("GroupNormalization", {instance, b.weight({6}), b.weight({6})}, {{"num_groups", std::int64_t{3}}}), in,
      "group_norm_f32");
}

TEST(Resizing, AgreesWithReference) {
  const Dims in = {2, 5, 6, 7};
  for (const char* transform : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"}) {
    for (const char* mode : {"nearest", "linear", "cubic"}) {
      for (const std::vector<float>& scales : {std::vector<float>{1, 1, 2, 3}, {1, 1, 0.6F, 1}, {1, 1, 1, 1}}) {
        SCOPED_TRACE(std::string(mode) + " " + transform + " " + std::to_string(scales[2]));
        Builder b;
        b.model.opsets[""] = 18;
        const ir::ValueId x = b.input("x", shape_of(in));
        const ir::ValueId y =
            b.node("Resize", {x, ir::kNoValue, b.constant(floats(scales))},
                   {{"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(transform)}});
        test::expect_like_reference(b.finish({y}), {{"x", test::random_tensor(in, 7)}});
      }
    }
  }
  Builder b;
  const ir::ValueId x = b.input("x", shape_of(in));
  expect_kernel(b,
                b.node("Resize", {x, ir::kNoValue, ir::kNoValue, b.constant(ints({2, 5, 9, 4}))},
                       {{"mode", std::string("linear")}}),
                in, "resize_f32");
}

TEST(Deconvolution, AgreesWithReference) {
  struct Case {
    std::int64_t in_c, out_c, groups;
    Ints kernel, strides, pads, dilations, output_padding;
  };
  const std::vector<Case> cases = {{3, 5, 1, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, {1, 1}},
                                   {8, 19, 1, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}, {0, 0}},
                                   {4, 34, 2, {4, 3}, {2, 1}, {1, 0, 2, 1}, {1, 1}, {0, 0}},
                                   {6, 6, 6, {3, 3}, {3, 2}, {0, 2, 1, 0}, {2, 1}, {1, 0}},
                                   {5, 16, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, {0, 0}}};
  for (const Case& c : cases) {
    const Dims in = {2, c.in_c, 5, 9};
    Builder b;
    const ir::ValueId x = b.input("x", shape_of(in));
    SCOPED_TRACE(c.out_c);
    expect_kernel(b,
                  b.node("ConvTranspose",
                         {x, b.weight({c.in_c, c.out_c / c.groups, c.kernel[0], c.kernel[1]}), b.weight({c.out_c})},
                         {{"group", c.groups},
                          {"strides", c.strides},
                          {"pads", c.pads},
                          {"dilations", c.dilations},
                          {"output_padding", c.output_padding}}),
                  in, "deconv_f32");
  }
}

TEST(Deconvolution, PadsFollowFromTheOutputShape) {
  for (const char* auto_pad : {"SAME_UPPER", "SAME_LOWER", "NOTSET"}) {
    Builder b;
    const Dims in = {1, 3, 5, 6};
    const ir::ValueId x = b.input("x", shape_of(in));
    Attributes attributes = {{"strides", Ints{2, 3}}, {"auto_pad", std::string(auto_pad)}};
    if (std::string(auto_pad) == "NOTSET") attributes.emplace_back("output_shape", Ints{10, 17});
    expect_kernel(b, b.node("ConvTranspose", {x, b.weight({3, 4, 3, 4})}, attributes), in, "deconv_f32");
  }
}

TEST(Views, AgreeWithReference) {
  const Dims in = {2, 8, 6, 9};
  const auto check = [&](const std::string& type, const std::vector<Tensor>& more, const Attributes& attributes,
                         const std::string& kernel) {
    SCOPED_TRACE(type);
    Builder b;
    std::vector<ir::ValueId> inputs = {b.input("x", shape_of(in))};
    for (const Tensor& tensor : more) inputs.push_back(b.constant(tensor));
    expect_kernel(b, b.node(type, inputs, attributes), in, kernel);
  };
  check("Slice", {ints({-1, 1}), ints({INT64_MIN, 5}), ints({3, 1}), ints({-2, 3})}, {}, "slice");
  check("Slice", {ints({1}), ints({INT64_MAX}), ints({0})}, {}, "slice");
  check("Expand", {ints({3, 1, 1, 1, 1})}, {}, "expand");
  check("Tile", {ints({1, 2, 1, 3})}, {}, "tile");
  check("SpaceToDepth", {}, {{"blocksize", std::int64_t{3}}}, "space_to_depth");
  for (const char* mode : {"DCR", "CRD"})
    check("DepthToSpace", {}, {{"blocksize", std::int64_t{2}}, {"mode", std::string(mode)}}, "depth_to_space");
}

TEST(Selections, AgreeWithReference) {
  const Dims in = {2, 3, 4};
  for (const char* type : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    Builder b;
    const ir::ValueId x = b.input("x", shape_of(in));
    const ir::ValueId condition = b.node(type, {x, b.weight({3, 1})});
    expect_kernel(b, b.node("Where", {condition, x, b.weight({2, 1, 1})}), in, "where");
  }
  Builder b;
  const ir::ValueId x = b.input("x", shape_of(in));
  expect_kernel(b, b.node("Pow", {b.node("Abs", {x}), b.weight({4}, 0.5F, 3)}), in, "binary_f32");
}

TEST(Conversions, AgreeWithReference) {
  const Dims in = {3, 7};
  for (DType type : {DType::kInt64, DType::kInt32, DType::kInt8, DType::kUint8, DType::kBool}) {
    Builder b;
    const ir::ValueId x = b.node("Mul", {b.input("x", shape_of(in)), b.weight({7}, -300, 300)});
    const ir::ValueId there = b.node("Cast", {x}, {{"to", static_cast<std::int64_t>(type)}});
    expect_kernel(b, b.node("Cast", {there}, {{"to", static_cast<std::int64_t>(DType::kFloat32)}}), in, "convert");
  }
  for (const char* type : {"And", "Or", "Xor"}) {
    Builder b;
    const ir::ValueId x = b.input("x", shape_of(in));
    const ir::ValueId low = b.node("Less", {x, b.weight({7})}), high = b.node("Greater", {x, b.weight({3, 1})});
    expect_kernel(b, b.node(type, {low, high}), in, "compare");
  }
}

TEST(Gathers, AgreeWithReferenceAndCheckIndices) {
  const Dims in = {3, 4, 5};
  for (std::int64_t axis : {0, 1, -1}) {
    Builder b;
    const ir::ValueId x = b.input("x", shape_of(in));
    const ir::ValueId index = b.constant(Tensor::from<std::int64_t>({2, 2}, {0, -1, 2, 1}));
    expect_kernel(b, b.node("Gather", {x, index}, {{"axis", axis}}), in, "gather");
  }
  Builder b;
  const ir::ValueId x = b.input("x", shape_of(in)), index = b.input("i", shape_of({1}), DType::kInt64);
  const ir::Model& model = b.finish({b.node("Gather", {x, index})});
  try {
    test::run(model, {{"x", test::random_tensor(in, 1)}, {"i", ints({3})}});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(error.what()).find("index out of range (expected -3 to 2, got 3)"), std::string::npos);
  }
}

}  // namespace
}  // namespace pare
