#include "runtime/lower/nbits.h"

#include <algorithm>
#include <vector>

#include "kernels/nbits/nbits.h"
#include "runtime/lower/nbits_weight.h"

namespace pare::runtime {

std::optional<std::string> why_not_nbits(const ir::Graph& graph, const ir::Node& node) {
  if (is_nbits_operator(node) || node.is("MatMul") || node.is("Gemm")) return why_not_nbits_weight(graph, node);
  return "no product";
}

bool only_nbits_read(const ir::Graph& graph, ir::ValueId value) {
  const std::vector<ir::NodeId>& readers = graph.value(value).consumers;
  return !graph.is_output(value) && !readers.empty() && std::ranges::all_of(readers, [&](ir::NodeId id) {
    const ir::Node& node = graph.node(id);
    return node.input(1) == value && node.input(0) != value && !why_not_nbits(graph, node);
  });
}

bool takes_nbits(Lowerer& lw, const Group& group) {
  if (group.integer || !group.follow.empty() || group.quantize) return false;
  if (group.nodes.size() > 1 && !lw.constant(group.bias).defined()) return false;
  return !why_not_nbits(lw.graph(), lw.main(group));
}

namespace {

std::string described(const NBitsWeight& weight) {
  const std::string bits = std::to_string(weight.shape.bits) + "-bit ";
  if (weight.table.empty()) return bits + "weights in blocks of " + std::to_string(weight.shape.block);
  return bits + (weight.table_stride > 0 ? "indices, a codebook for each output" : "indices of one codebook");
}

}  // namespace

void lower_nbits(Lowerer& lw, const Group& group) {
  using kernels::NBitsMatrix;
  const ir::Node& node = lw.main(group);
  const bool op = is_nbits_operator(node);
  const NBitsWeight weight = nbits_weight(lw.graph(), node);
  const auto matrix = lw.cache().get_packed<NBitsMatrix>(
      NBitsMatrix::packing_key(weight.shape, weight.values()), weight.codes,
      [&](kernels::PackedReader& reader) { return NBitsMatrix::view(weight.shape, weight.values(), reader); },
      [&] { return NBitsMatrix::pack(weight.shape, weight.values(), weight.row); });
  const ir::ValueId bias_value = op ? node.input(5) : node.is("Gemm") ? node.input(2) : group.bias;
  const Tensor bias = lw.constant(bias_value);
  const std::int64_t m = element_count(lw.dims(node.input(0))) / weight.shape.k;
  // accuracy_level 4 lets activations be 8 bits; with few rows memory is the limit anyway.
  const bool int8 = op && node.int_or("accuracy_level", 0) == 4 && m >= 8 && matrix->has_int8();
  const int threads = lw.threads();
  const BufferId x = lw.read(node.input(0)), y = lw.write(group.output),
                 scratch = lw.scratch(kernels::nbits_scratch_bytes(*matrix, m, threads));
  const std::string reason = described(weight) + (int8 ? ", 8-bit activations" : "");
  lw.emit(
      group,
      {std::string(matrix->kernel_name()) + (int8 ? "_int8" : ""), reason, static_cast<std::int64_t>(matrix->bytes())},
      {x}, {y, scratch}, [=](const Frame& frame) {
        const float* b = bias.defined() ? bias.data<float>().data() : nullptr;
        kernels::nbits_matmul(*matrix, m, frame.at<float>(x), b, frame.at<float>(y), frame.at(scratch), threads, int8);
      });
}

/// Its readers take the indices; anything else has the reference make the weights.
std::optional<std::string> lower_Codebook(Lowerer& lw, const Group& group) {
  if (only_nbits_read(lw.graph(), group.output)) return std::nullopt;
  return "its readers want the weights themselves";
}

std::optional<std::string> lower_MatMulNBits(Lowerer& lw, const Group& group) {
  if (auto reason = why_not_nbits(lw.graph(), lw.main(group))) return reason;
  lower_nbits(lw, group);
  return std::nullopt;
}

}  // namespace pare::runtime
