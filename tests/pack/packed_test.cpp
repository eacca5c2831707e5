// Packed sections: what is written is found under the same tensor and key, from the mapped file, and damage is refused.
#include "pack/packed.h"

#include <gtest/gtest.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "onnx/onnx_file.h"
#include "pack/fields.h"
#include "pack/pare_file.h"
#include "pare/error.h"

namespace pare::test {
namespace {

const std::string kModel = std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_mlp.onnx";

/// The first large constants of a graph.
std::vector<Tensor> constants(const ir::Graph& graph) {
  std::vector<Tensor> found;
  for (const ir::ValueId id : graph.values())
    if (const Tensor* tensor = graph.constant(id); tensor && tensor->bytes() >= 256) found.push_back(*tensor);
  return found;
}

/// A packed file with one blob for each of the model's first two tensors, for this machine and for another.
pack::ModelFile packed_file() {
  const fs::path path = fs::path(testing::TempDir()) / "packed.pare";
  const ir::Model model = onnx::read_model(kModel);
  const std::vector<Tensor> tensors = constants(model.graph);
  const std::vector<exec::PackedBlob> here = {{tensors[0], 7, "k", "first blob"},
                                              {tensors[1], 8, "k", std::string(1000, 'x')},
                                              {Tensor(DType::kInt8, {300}), 9, "k", "of a tensor that is not there"}};
  pack::write_model(model, path,
                    {.stored = true,
                     .packed = {{std::string(name(active_isa())), here}, {"other", {{tensors[0], 7, "k", "others"}}}}});
  pack::ModelFile file = pack::read_file(path);
  fs::remove(path);  // the map keeps the content
  return file;
}

std::string text(const exec::PackedView& view) {
  return {reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size()};
}

TEST(Packed, BlobsAreFoundByTensorAndKey) {
  const pack::ModelFile file = packed_file();
  ASSERT_TRUE(file.packed && file.packed->fits());
  const std::vector<Tensor> tensors = constants(file.model.graph);
  const auto first = file.packed->find(tensors[0], 7), second = file.packed->find(tensors[1], 8);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(text(*first), "first blob");
  EXPECT_EQ(text(*second), std::string(1000, 'x'));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second->bytes.data()) % 64, 0U);
  EXPECT_FALSE(file.packed->find(tensors[0], 8));
  EXPECT_FALSE(file.packed->find(tensors[1], 7));
  EXPECT_FALSE(file.packed->find(tensors[0].clone(), 7));  // a constant that was changed lies elsewhere
}

TEST(Packed, OtherInstructionSetsAreKept) {
  const pack::ModelFile file = packed_file();
  const auto others = file.packed->others(std::string(name(active_isa())));
  ASSERT_EQ(others.size(), 1U);
  EXPECT_EQ(others[0].isa, "other");
  ASSERT_EQ(others[0].blobs.size(), 1U);
  EXPECT_EQ(others[0].blobs[0].bytes, "others");
  EXPECT_EQ(file.packed->isas().size(), 2U);
}

TEST(Packed, DamagedSectionsAreRefused) {
  std::vector<Tensor> tensors = {Tensor(DType::kInt8, {300}), Tensor(DType::kInt8, {400})};
  const std::string whole =
      pack::write_packed({{tensors[0], 1, "a", "abc"}, {tensors[1], 2, "b", "defg"}}, tensors).bytes;
  Rng rng(3, kRngTest);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole;
    bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    if (rng.coin(0.2)) bytes.resize(rng.below(bytes.size()));
    pack::Container container;
    container.sections.push_back({pack::SectionKind::kPacked, pack::kPackedVersion, "isa", bytes});
    try {
      const pack::PackedSections sections(container, tensors, "isa", "m.pare");
      for (const Tensor& tensor : tensors)
        for (std::uint64_t key = 0; key < 4; ++key)
          if (const auto found = sections.find(tensor, key)) {
            EXPECT_TRUE(text(*found) == "abc" || text(*found) == "defg") << text(*found);
          }
    } catch (const pack::Damaged&) {
      ++refused;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("m.pare: is damaged: weights of its packed section 'isa'"),
                std::string::npos);
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Packed, WeightsAreCheckedWhenTheyAreFound) {
  const std::vector<Tensor> tensors = {Tensor(DType::kInt8, {300}), Tensor(DType::kInt8, {400})};
  const pack::SectionContent whole =
      pack::write_packed({{tensors[0], 1, "a", "abc"}, {tensors[1], 2, "b", "defg"}}, tensors);
  std::string bytes = whole.bytes;
  bytes.back() = 'h';
  pack::Container container;
  container.sections.push_back({pack::SectionKind::kPacked, pack::kPackedVersion, "isa", bytes, whole.checked});
  const pack::PackedSections sections(container, tensors, "isa", "m.pare"), foreign(container, tensors, "other", "m.pare");
  EXPECT_TRUE(sections.find(tensors[0], 1));
  EXPECT_THROW(sections.find(tensors[1], 2), Error);
  EXPECT_THROW(sections.find(tensors[1], 2), Error);
  EXPECT_THROW(foreign.others("other"), Error);
}

}  // namespace
}  // namespace pare::test
