#include "pare/control.h"

#include "pare/error.h"

namespace pare {

void Control::check_cancelled() const {
  const int code = cancel == nullptr ? 0 : cancel->load(std::memory_order_relaxed);
  if (code == 0) return;
  if (code == static_cast<int>(ErrorCode::kTerminated)) throw Error(ErrorCode::kTerminated, "", "stopped by SIGTERM");
  throw Error(ErrorCode::kInterrupted, "", "interrupted");
}

}  // namespace pare
