#include "train/scope.h"

#include <string_view>

namespace pare::train {
namespace {

#if TORCH_VERSION_MAJOR >= 2
namespace warnings = c10::WarningUtils;
#else
namespace warnings = c10::Warning;
#endif

class SilentWarnings : public c10::WarningHandler {
 public:
#if TORCH_VERSION_MAJOR >= 2
  void process(const c10::Warning&) override {}
#else
  void process(const c10::SourceLocation&, const std::string&, const bool) override {}
#endif
};

/// LibTorch's handler is one for the process and not synchronized: set once, never restored.
void silence_warnings() {
  static SilentWarnings handler;
  static const bool once = (warnings::set_warning_handler(&handler), true);
  (void)once;
}

void set_autocast(at::DeviceType device, bool enabled) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  if (enabled) at::autocast::set_autocast_dtype(device, at::kBFloat16);
  at::autocast::set_autocast_enabled(device, enabled);
#else
  if (device == at::kCUDA) {
    if (enabled) at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
    at::autocast::set_enabled(enabled);
  } else {
    if (enabled) at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
    at::autocast::set_cpu_enabled(enabled);
  }
#endif
}

}  // namespace

TorchScope::TorchScope(int threads) : threads_(threads) {
  silence_warnings();
  // A thread's first call into LibTorch may set its own default (one on Debian); asking first makes that happen now.
  if (at::get_num_threads() != threads) at::set_num_threads(threads);
}

AutocastScope::AutocastScope(at::DeviceType device, bool enabled) : device_(device), enabled_(enabled) {
  if (!enabled_) return;
  at::autocast::increment_nesting();
  set_autocast(device_, true);
}

AutocastScope::~AutocastScope() {
  if (!enabled_) return;
  set_autocast(device_, false);
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();  // the casts of this pass's weights
}

Error translate(const c10::Error& error, const std::string& subject) {
  std::string message = error.what_without_backtrace();
  message = message.substr(0, message.find('\n'));
  const auto mentions = [&](std::string_view text) { return message.find(text) != std::string::npos; };
  const bool memory = mentions("out of memory") || mentions("not enough memory") || mentions("allocate memory");
  return Error(memory ? ErrorCode::kMemory : ErrorCode::kInternal, subject, "LibTorch: " + message);
}

}  // namespace pare::train
