// Softmax and LogSoftmax; before opset 13 everything from the axis on is one row.
#include "kernels/softmax/softmax.h"

#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

std::optional<std::string> lower_softmax(Lowerer& lw, const Group& group, bool log) {
  const ir::Node& node = lw.main(group);
  const Dims in = lw.dims(node.input(0));
  if (group.integer) return "no integer form";
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const bool rows = lw.model().opset() < 13;
  std::int64_t at = node.int_or("axis", rows ? 1 : -1), outer = 1, axis = 1, inner = 1;
  if (at < 0) at += static_cast<std::int64_t>(in.size());
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(in.size()); ++i)
    (i < at ? outer : i == at || rows ? axis : inner) *= in[static_cast<std::size_t>(i)];
  const BufferId x = lw.read(node.input(0)), y = lw.write(group.output);
  lw.emit(group, {log ? "log_softmax_f32" : "softmax_f32", ""}, {x}, {y}, [=](const Frame& frame) {
    (log ? kernels::log_softmax : kernels::softmax)(outer, axis, inner, frame.at<float>(x), frame.at<float>(y));
  });
  return std::nullopt;
}

}  // namespace

std::optional<std::string> lower_Softmax(Lowerer& lw, const Group& group) { return lower_softmax(lw, group, false); }
std::optional<std::string> lower_LogSoftmax(Lowerer& lw, const Group& group) { return lower_softmax(lw, group, true); }

}  // namespace pare::runtime
