// Cast between the element types that have kernels; the layout stays.
#include "kernels/convert/convert.h"

#include "runtime/lowerer.h"

namespace pare::runtime {

std::optional<std::string> lower_Cast(Lowerer& lw, const Group& group) {
  const ir::ValueId from = lw.main(group).input(0);
  const DType in = lw.dtype(from), out = lw.dtype(group.output);
  if (group.integer) return "no integer form";
  const Layout layout = lw.stored(from);
  if (in == out) {
    lw.alias(group.output, lw.read(from, layout), layout);
    return std::nullopt;
  }
  if (!kernels::can_convert(in, out)) return "no kernel for these types";
  const std::int64_t count = element_count(lw.dims(from));
  const BufferId x = lw.read(from, layout), y = lw.write(group.output, layout);
  lw.emit(group, {"convert", ""}, {x}, {y},
          [=](const Frame& frame) { kernels::convert(in, out, count, frame.at(x), frame.at(y)); });
  return std::nullopt;
}

}  // namespace pare::runtime
