// A neural network read from a file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare {

/// Concrete shapes by input name, where the model leaves axes open.
using InputShapes = std::map<std::string, Dims>;

/// An input or output of a model. Axes are written as in the model: "3", "batch", or "?" when unknown.
struct PortInfo {
  std::string name;
  DType dtype = DType::kUndefined;
  bool ranked = false;  ///< false: not even the number of axes is known
  std::vector<std::string> dims;
};

/// An immutable model; copies share it. Weights stay mapped from the file until something changes them.
class Model {
 public:
  /// Reads an ONNX file (IR 3–13) or a .pare file, told apart by their first bytes. Throws Error(kBadInput) naming the
  /// file, and the node or tensor at fault: missing, not a model, truncated, damaged, external data missing, too short
  /// or outside the model's folder, contradictory shapes. Weights of a packed .pare file are checked when they are first
  /// read: whatever reads damaged ones throws the same.
  static Model load(const std::string& path);
  /// The same from memory; `name` stands for the path in messages. External data is not allowed.
  static Model parse(std::string bytes, const std::string& name);

  const std::string& path() const noexcept;  ///< as given to load(); "" for a model made in memory
  std::vector<PortInfo> inputs() const;
  std::vector<PortInfo> outputs() const;
  std::int64_t opset() const;  ///< of the default operator set
  std::int64_t ir_version() const;
  std::int64_t bytes() const;     ///< size of the .pare file, or as an ONNX file, external data included
  std::string serialize() const;  ///< the ONNX file's content, all data inside
  /// "" or what a packed file could not give on this machine: its weights are packed anew.
  const std::string& note() const noexcept;
  /// Writes a .pare file where `path` ends so, else an ONNX file, whole or not at all. Throws Error(kUsage) when `path`
  /// exists and `force` is false, Error(kIo).
  void save(const std::string& path, bool force = false) const;
  /// Writes a .pare file that loads fast rather than being small: tensors, and weights as the kernels of this machine
  /// read them, are mapped. Weights that this model's own file holds for other instruction sets are kept. Kernels are
  /// chosen for batch 1 and for `shapes` where the model leaves other axes open. Throws Error(kUsage) as save() and for
  /// a name that does not end in .pare, Error(kBadInput) naming an input that needs a shape, Error(kUnsupported).
  void save_packed(const std::string& path, const InputShapes& shapes = {}, bool force = false) const;

  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const noexcept { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pare
