// libFuzzer target: no input may do anything but parse or throw pare::Error; what parses must survive a round trip.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "onnx/onnx_file.h"
#include "pare/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const pare::ir::Model model =
        pare::onnx::parse_model({reinterpret_cast<const char*>(data), size}, "fuzz", "/nonexistent");
    const std::string bytes = pare::onnx::serialize_model(model);
    const pare::ir::Model again = pare::onnx::parse_model(bytes, "fuzz", "/nonexistent");
    if (pare::onnx::serialize_model(again) != bytes) std::abort();
  } catch (const pare::Error&) {
    return 0;
  }
  return 0;
}
