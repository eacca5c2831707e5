// What surrounds every call into LibTorch: threads, autocast, and its exceptions as pare::Error.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "base/threads.h"
#include "pare/error.h"
#include "train/torch_headers.h"

namespace pare::train {

/// LibTorch uses `threads` OpenMP threads in this scope; the caller's own setting comes back afterwards. Also silences
/// LibTorch's warnings for good: a library does not write to stderr.
class TorchScope {
 public:
  explicit TorchScope(int threads);
  TorchScope(const TorchScope&) = delete;
  TorchScope& operator=(const TorchScope&) = delete;

 private:
  ThreadScope threads_;
};

/// bf16 autocast on a device while it lives, when `enabled`.
class AutocastScope {
 public:
  AutocastScope(at::DeviceType device, bool enabled);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  at::DeviceType device_;
  bool enabled_;
};

/// kMemory when an allocation failed, kInternal otherwise; the first line of LibTorch's message.
Error translate(const c10::Error& error, const std::string& subject);

/// Runs `body`; what LibTorch throws becomes a pare::Error about `subject`.
template <class Body>
auto guarded(const std::string& subject, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const c10::Error& error) {
    throw translate(error, subject);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, subject, "out of memory");
  }
}

}  // namespace pare::train
