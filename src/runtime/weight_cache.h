// Packed weights, made once and shared between the plans of a model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "pare/tensor.h"

namespace pare::runtime {

/// Thread-safe. An entry is keyed by what the caller says and by the address of the tensor that it was made from, which
/// the cache keeps alive so that no other tensor can take that address.
class WeightCache {
 public:
  template <class T>
  std::shared_ptr<const T> get(const std::string& key, const Tensor& source,
                               const std::function<std::shared_ptr<const T>()>& make) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[{key, source.raw()}];
    if (!entry.packed) {
      entry.packed = make();
      entry.source = source;
    }
    return std::static_pointer_cast<const T>(entry.packed);
  }

 private:
  struct Entry {
    std::shared_ptr<const void> packed;
    Tensor source;
  };
  std::mutex mutex_;
  std::map<std::pair<std::string, const std::byte*>, Entry> entries_;
};

}  // namespace pare::runtime
