// Packed weights, made once and shared between the plans of a model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "exec/packed.h"
#include "kernels/packed.h"
#include "pare/tensor.h"

namespace pare::runtime {

class Tuner;  // runtime/tuner.h

/// Thread-safe. An entry is keyed by what the caller says and by the address of the tensor that it was made from, which
/// the cache keeps alive so that no other tensor can take that address. What it was made from leaves the memory where it
/// is a part of a mapped file.
class WeightCache {
 public:
  /// `packed`: weights that a file holds ready; nullptr: none. `tuner`: times the kernels that read them; nullptr:
  /// plans are made by estimates. `exact`: no kernels whose sums round more than a direct product's.
  explicit WeightCache(std::shared_ptr<const exec::PackedWeights> packed = nullptr,
                       std::shared_ptr<Tuner> tuner = nullptr, bool exact = false)
      : packed_(std::move(packed)), tuner_(std::move(tuner)), exact_(exact) {}

  Tuner* tuner() const { return tuner_.get(); }
  bool exact() const { return exact_; }

  template <class T>
  std::shared_ptr<const T> get(const std::string& key, const Tensor& source,
                               const std::function<std::shared_ptr<const T>()>& make) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entry_of(key, source);
    if (!entry.packed) {
      entry.packed = make();
      if (!entry.small) drop_mapped({source.address(), source.bytes()});
    }
    return std::static_pointer_cast<const T>(entry.packed);
  }

  /// The same of weights that one form of a step alone reads, so that they go where another is chosen.
  template <class T>
  std::shared_ptr<const T> get_for_form(const std::string& key, const Tensor& source,
                                        const std::function<std::shared_ptr<const T>()>& make) {
    const std::shared_ptr<const T> made = get<T>(key, source, make);
    const std::lock_guard lock(mutex_);
    entry_of(key, source).of_form = true;
    return made;
  }

  /// The same of weights that files can hold: `key` is T's packing key, `view` T::view.
  template <class T>
  std::shared_ptr<const T> get_packed(const std::string& key, const Tensor& source,
                                      const std::function<std::optional<T>(kernels::PackedReader&)>& view,
                                      const std::function<T()>& make) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entry_of(key, source);
    if (!entry.packed) {
      std::optional<T> found = find<T>(key, source, view);
      const auto made = std::make_shared<const T>(found ? std::move(*found) : make());
      entry.packed = made;
      entry.write = [weights = made.get()](kernels::PackedWriter& writer) { weights->write(writer); };
      entry.kernel = made->kernel_name();
      entry.small = std::is_trivially_copyable_v<T>;
      drop_mapped({source.address(), source.bytes()});
    }
    return std::static_pointer_cast<const T>(entry.packed);
  }

  /// Forgets what no plan has kept: forms that were only timed.
  void drop_unused() {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [](const auto& item) {
      const Entry& entry = item.second;
      return (entry.write || entry.of_form) && !entry.small && entry.packed.use_count() == 1;
    });
  }

  std::vector<exec::PackedBlob> blobs() const {
    const std::lock_guard lock(mutex_);
    std::vector<exec::PackedBlob> found;
    for (const auto& [key, entry] : entries_) {
      if (!entry.write) continue;
      kernels::PackedWriter writer;
      entry.write(writer);
      found.push_back({entry.source, hash64(key.first), entry.kernel, writer.bytes()});
    }
    return found;
  }

 private:
  struct Entry {
    std::shared_ptr<const void> packed;
    Tensor source;
    std::function<void(kernels::PackedWriter&)> write;
    std::string kernel;
    bool small = false;    ///< numbers, no weights
    bool of_form = false;  ///< of a form that may not be chosen
  };

  Entry& entry_of(const std::string& key, const Tensor& source) {
    Entry& entry = entries_[{key, source.address()}];
    if (!entry.source.defined()) entry.source = source;
    return entry;
  }
  template <class T>
  std::optional<T> find(const std::string& key, const Tensor& source,
                        const std::function<std::optional<T>(kernels::PackedReader&)>& view) const {
    const auto found = packed_ ? packed_->find(source, hash64(key)) : std::nullopt;
    if (!found) return std::nullopt;
    kernels::PackedReader reader(found->bytes, found->owner);
    return view(reader);
  }

  std::shared_ptr<const exec::PackedWeights> packed_;
  std::shared_ptr<Tuner> tuner_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, const std::byte*>, Entry> entries_;
  bool exact_;
};

}  // namespace pare::runtime
