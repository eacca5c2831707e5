#include "signals.h"

#include <csignal>

namespace pare::cli {
namespace {

std::atomic<int> cancel{0};
static_assert(std::atomic<int>::is_always_lock_free);  // the handler may touch nothing else

void on_signal(int signal) {
  if (cancel.exchange(128 + signal) == 0) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

const std::atomic<int>* catch_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return &cancel;
}

void ignore_file_size_signal() { std::signal(SIGXFSZ, SIG_IGN); }

}  // namespace pare::cli
