#include "data/split.h"

#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "pare/error.h"

namespace pare::data {

namespace {

namespace fs = std::filesystem;

std::string_view bytes_of(const std::vector<std::int64_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int64_t)};
}

Tensor rows(const Tensor& from, const std::vector<std::int64_t>& samples) {
  Dims dims = from.dims();
  const std::size_t row = from.bytes() / static_cast<std::size_t>(dims[0]);
  dims[0] = static_cast<std::int64_t>(samples.size());
  Tensor taken(from.dtype(), std::move(dims));
  std::byte* out = taken.mutable_raw();
  for (std::size_t i = 0; i < samples.size(); ++i)
    std::memcpy(out + i * row, from.raw() + static_cast<std::size_t>(samples[i]) * row, row);
  return taken;
}

void add_number(Hasher& hasher, std::int64_t value) { hasher.add(std::to_string(value) + ";"); }

class SourceSplit final : public Split {
 public:
  SourceSplit(std::shared_ptr<const SplitContext> context, std::vector<std::int64_t> indices)
      : context_(std::move(context)), indices_(std::move(indices)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  bool labelled() const override { return context_->source->labelled(); }
  bool regression() const override { return context_->targets.defined(); }
  std::int64_t classes() const override { return context_->classes; }

  Batch batch(const std::vector<std::int64_t>& positions, std::uint64_t seed,
              std::int64_t augment_epoch) const override {
    Batch batch;
    const std::vector<std::int64_t> samples = to_source(positions);
    if (samples.empty()) throw Error(ErrorCode::kInternal, "batch", "needs at least one sample");
    const Source& source = *context_->source;
    batch.inputs =
        source.images() ? batch_images(*context_, samples, seed, augment_epoch) : batch_arrays(*context_, samples);
    if (source.labelled()) {
      batch.labels.reserve(samples.size());
      for (const std::int64_t sample : samples) batch.labels.push_back(source.label(sample));
    }
    if (regression()) batch.targets = rows(context_->targets, samples);
    batch.indices = positions;
    return batch;
  }

  std::shared_ptr<const Split> subset(std::vector<std::int64_t> positions) const override {
    return std::make_shared<SourceSplit>(context_, to_source(positions));
  }

  std::string fingerprint() const override {
    Hasher hasher;
    hasher.add(context_->identity);
    for (const fs::path& path : context_->source->files()) {
      // A file that has gone since opening hashes like one of size −1; reading it will say so.
      std::error_code ignored;
      hasher.add(path.filename().string() + ";");
      const auto size = fs::file_size(path, ignored);
      add_number(hasher, ignored ? -1 : static_cast<std::int64_t>(size));
      const auto time = fs::last_write_time(path, ignored);
      add_number(hasher,
                 ignored ? -1 : std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
    }
    hasher.add(bytes_of(indices_));
    return hasher.hex();
  }

 private:
  std::vector<std::int64_t> to_source(const std::vector<std::int64_t>& positions) const {
    std::vector<std::int64_t> samples;
    samples.reserve(positions.size());
    for (const std::int64_t position : positions) {
      if (position < 0 || position >= size()) {
        throw Error(ErrorCode::kInternal, "split", "has no sample " + std::to_string(position),
                    "less than " + std::to_string(size()));
      }
      samples.push_back(indices_[static_cast<std::size_t>(position)]);
    }
    return samples;
  }

  std::shared_ptr<const SplitContext> context_;
  std::vector<std::int64_t> indices_;
};

}  // namespace

std::shared_ptr<const Split> make_split(std::shared_ptr<const SplitContext> context,
                                        std::vector<std::int64_t> indices) {
  return std::make_shared<SourceSplit>(std::move(context), std::move(indices));
}

}  // namespace pare::data
