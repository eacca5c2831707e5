// Elementwise functions of one operand, in whatever layout it lies.
#include "runtime/lowerer.h"

namespace pare::runtime {

namespace {

std::optional<std::string> lower_unary(Lowerer& lw, const Group& group) {
  const ir::Node& node = lw.main(group);
  const auto activation = activation_of(lw.model(), node);
  if (!activation) return "its parameters are not constant";
  if (lw.dtype(node.input(0)) != DType::kFloat32) return "only float32 has a kernel";
  const Layout layout = lw.stored(node.input(0));
  const std::int64_t count = element_count(lw.dims(group.output));
  const BufferId x = lw.read(node.input(0), layout), y = lw.write(group.output, layout);
  if (group.quantize) {
    lw.emit(group, {"unary_to_8bit", ""}, {x}, {y},
            [x, y, count, a = *activation, to = group.quantize->params()](const Frame& frame) {
              kernels::unary_to_8bit(a.op, a.params, count, frame.at<float>(x), to, frame.at(y));
            });
    return std::nullopt;
  }
  lw.emit(group, {"unary_f32", ""}, {x}, {y}, [x, y, count, a = *activation](const Frame& frame) {
    kernels::unary(a.op, a.params, count, frame.at<float>(x), frame.at<float>(y));
  });
  return std::nullopt;
}

}  // namespace

#define PARE_UNARY(type) \
  std::optional<std::string> lower_##type(Lowerer& lw, const Group& group) { return lower_unary(lw, group); }
PARE_UNARY(Relu)
PARE_UNARY(Clip)
PARE_UNARY(LeakyRelu) PARE_UNARY(Elu) PARE_UNARY(Celu) PARE_UNARY(Sigmoid) PARE_UNARY(HardSigmoid) PARE_UNARY(HardSwish)
    PARE_UNARY(Tanh) PARE_UNARY(Softplus) PARE_UNARY(Softsign) PARE_UNARY(Mish) PARE_UNARY(Gelu) PARE_UNARY(Erf)
        PARE_UNARY(Exp) PARE_UNARY(Log) PARE_UNARY(Sqrt) PARE_UNARY(Reciprocal) PARE_UNARY(Neg) PARE_UNARY(Abs)
            PARE_UNARY(Sign) PARE_UNARY(Floor) PARE_UNARY(Ceil) PARE_UNARY(Round) PARE_UNARY(Swish)
#undef PARE_UNARY

}  // namespace pare::runtime
