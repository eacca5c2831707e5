#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "pare/text.h"

namespace pare::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kPlainLine = std::chrono::seconds(10);
constexpr int kBarCells = 24;

bool bar_drawn = false;  // progress comes from one thread at a time

int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string figure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) >= 1000 ? "%.0f" : "%.4g", value);
  return text;
}

std::string figures(const ProgressEvent& event) {
  std::string text;
  for (const auto& [name, value] : event.values) text += "  " + name + " " + figure(value);
  if (event.eta_s >= 0 && event.done < event.total) text += "  ETA " + format_duration(event.eta_s);
  return text;
}

std::string bar(const ProgressEvent& event) {
  const double share =
      event.total > 0 ? std::clamp(static_cast<double>(event.done) / static_cast<double>(event.total), 0.0, 1.0) : 0;
  const int full = static_cast<int>(share * kBarCells);
  std::string text = "[" + std::string(static_cast<std::size_t>(full), '#') +
                     std::string(static_cast<std::size_t>(kBarCells - full), '.') + "] ";
  char percent[8];
  std::snprintf(percent, sizeof percent, "%3.0f %%", share * 100);
  return text + percent;
}

std::string plain(const ProgressEvent& event) {
  return event.stage + ": " + std::to_string(event.done) + "/" + std::to_string(event.total) + " " + event.unit +
         figures(event);
}

/// Draws events; state of one command.
class Meter {
 public:
  explicit Meter(bool terminal) : terminal_(terminal) {}

  void show(const ProgressEvent& event) {
    const Clock::time_point now = Clock::now();
    const bool finished = event.total > 0 && event.done >= event.total;
    const bool new_stage = event.stage != stage_;
    if (!new_stage && finished && finished_) return;
    if (new_stage) {
      stage_ = event.stage;
      finished_ = false;
      last_ = terminal_ ? Clock::time_point() : now;  // a plain line only where the stage lasts
    }
    if (!finished && now - last_ < (terminal_ ? kRedraw : Clock::duration(kPlainLine))) return;
    last_ = now;
    finished_ = finished;
    if (terminal_) {
      draw(event);
    } else {
      std::fprintf(stderr, "%s\n", plain(event).c_str());
    }
  }

 private:
  void draw(const ProgressEvent& event) {
    std::string line = event.stage + " " + bar(event) + figures(event);
    const auto columns = static_cast<std::size_t>(terminal_columns() - 1);
    if (line.size() > columns) line.resize(columns);
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    bar_drawn = true;
  }

  bool terminal_, finished_ = false;
  std::string stage_;
  Clock::time_point last_;
};

}  // namespace

void clear_progress() {
  if (!bar_drawn) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  bar_drawn = false;
}

void print_log(const std::string& line) {
  clear_progress();
  std::fprintf(stderr, "pare: %s\n", line.c_str());
}

Control progress_control(bool quiet) {
  Control control;
  control.log = [quiet](LogLevel level, const std::string& message) {
    if (level == LogLevel::kWarning) {
      print_log("warning: " + message);
    } else if (level == LogLevel::kInfo && !quiet) {
      print_log(message);
    }
  };
  if (!quiet) {
    auto meter = std::make_shared<Meter>(isatty(STDERR_FILENO) == 1);
    control.progress = [meter](const ProgressEvent& event) { meter->show(event); };
  }
  return control;
}

}  // namespace pare::cli
