#include "train/device.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "base/cpu.h"
#include "pare/error.h"

namespace pare::train {

at::Device find_device(const std::string& name) {
  try {
    const at::Device device(name);
    if (device.is_cpu()) return device;
    if (device.is_cuda()) {
      const int present = at::hasCUDA() ? c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount() : 0;
      const int wanted = device.has_index() ? device.index() : 0;
      if (wanted < present) return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(wanted));
      throw Error(ErrorCode::kUnsupported, "device " + name, "is not present",
                  at::hasCUDA() ? "fewer than " + std::to_string(present) : "a LibTorch built with CUDA", name);
    }
  } catch (const c10::Error&) {
    // Not a device name at all: reported below with those that are none of ours.
  }
  throw Error(ErrorCode::kUsage, "device", "is unknown", "cpu, cuda or cuda:N", name);
}

bool uses_bf16(const std::string& precision, at::Device device) {
  if (precision == "f32") return false;
  if (precision == "bf16") return true;
  if (precision == "auto") return device.is_cuda() || isa_available(Isa::kAvx512Bf16);
  throw Error(ErrorCode::kUsage, "precision", "is unknown", "auto, f32 or bf16", precision);
}

at::Generator make_generator(at::Device device, std::uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

}  // namespace pare::train
