#include "data/color.h"

#include <cstdint>

namespace pare::data {

const std::vector<std::string>& colors() {
  static const std::vector<std::string> names{"rgb", "bgr", "gray"};
  return names;
}

Tensor convert_color(const Tensor& image, const std::string& color) {
  const std::int64_t from = image.dim(2), to = color == "gray" ? 1 : 3, pixels = image.dim(0) * image.dim(1);
  if (from == to && color != "bgr") return image;
  Tensor result(DType::kUint8, {image.dim(0), image.dim(1), to});
  const std::uint8_t* in = image.data<std::uint8_t>().data();
  std::uint8_t* out = result.mutable_data<std::uint8_t>().data();
  for (std::int64_t i = 0; i < pixels; ++i, in += from, out += to) {
    const std::uint8_t red = in[0], green = from == 1 ? in[0] : in[1], blue = from == 1 ? in[0] : in[2];
    if (to == 1) {
      out[0] = static_cast<std::uint8_t>((red * 19595u + green * 38470u + blue * 7471u + 0x8000u) >> 16);
    } else {
      out[0] = color == "bgr" ? blue : red;
      out[1] = green;
      out[2] = color == "bgr" ? red : blue;
    }
  }
  return result;
}

}  // namespace pare::data
