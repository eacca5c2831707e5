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

/// What accuracy_level lets activations be: bfloat16 at 3, 8 bits as well at 4; of these what is faster. With few rows
/// memory is the limit anyway.
kernels::NBitsInputs inputs_of(const kernels::NBitsMatrix& matrix, std::int64_t level, std::int64_t m) {
  using enum kernels::NBitsInputs;
  constexpr std::int64_t kFewRows = 8, kManyRows = 16;
  if (level < 3 || m < kFewRows) return kFloat;
  const bool int8 = level == 4 && matrix.has(kInt8);
  if (matrix.has(kBf16) && (m >= kManyRows || !int8)) return kBf16;
  return int8 ? kInt8 : kFloat;
}

std::string suffix(kernels::NBitsInputs inputs) {
  constexpr const char* kSuffixes[] = {"", "_bf16", "_int8"};  // by NBitsInputs
  return kSuffixes[static_cast<int>(inputs)];
}

std::string what_is_rounded(kernels::NBitsInputs inputs) {
  constexpr const char* kRounded[] = {"", ", multiplied in bfloat16", ", 8-bit activations"};  // by NBitsInputs
  return kRounded[static_cast<int>(inputs)];
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
  const kernels::NBitsInputs inputs = inputs_of(*matrix, op ? node.int_or("accuracy_level", 0) : 0, m);
  const int threads = lw.threads();
  const BufferId x = lw.read(node.input(0)), y = lw.write(group.output),
                 scratch = lw.scratch(kernels::nbits_scratch_bytes(*matrix, m, threads, inputs));
  const std::string reason = described(weight) + what_is_rounded(inputs);
  lw.emit(group, {matrix->kernel_name() + suffix(inputs), reason, static_cast<std::int64_t>(matrix->bytes())}, {x},
          {y, scratch}, [=](const Frame& frame) {
            const float* b = bias.defined() ? bias.data<float>().data() : nullptr;
            kernels::nbits_matmul(*matrix, m, frame.at<float>(x), b, frame.at<float>(y), frame.at(scratch), threads,
                                  inputs);
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
