// TensorProto → Tensor: raw, typed or external data, every element type.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "onnx/external.h"
#include "pare/tensor.h"

namespace pare::onnx {

class TensorReader {
 public:
  /// `segments`: what cut() took out of the messages; `owner` keeps them alive.
  TensorReader(std::string file, const fs::path& folder, std::vector<std::string_view> segments,
               std::shared_ptr<const void> owner)
      : file_(std::move(file)), external_(folder), segments_(std::move(segments)), owner_(std::move(owner)) {}

  /// The same for messages whose cut data are whole tensors already.
  TensorReader(std::string file, std::vector<Tensor> tensors)
      : file_(std::move(file)), external_(fs::path()), tensors_(std::move(tensors)), whole_(true) {}

  /// `what` names the tensor in errors ("initializer 'w'"). Raw data is viewed in place, aligned or not.
  Tensor read(const TensorProto& proto, const std::string& what);

 private:
  Tensor read_whole(const TensorProto& proto, DType dtype, const Dims& dims, const std::string& subject) const;
  Tensor read_raw(const TensorProto& proto, DType dtype, Dims dims, const std::string& subject);

  std::string file_;
  ExternalFiles external_;
  std::vector<std::string_view> segments_;
  std::vector<Tensor> tensors_;
  std::shared_ptr<const void> owner_;
  bool whole_ = false;
};

}  // namespace pare::onnx
