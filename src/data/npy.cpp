#include "data/npy.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/float16.h"
#include "base/small_float.h"
#include "base/text.h"
#include "data/zip.h"
#include "pare/error.h"

namespace pare::data {

namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

constexpr std::array<std::pair<std::string_view, DType>, 14> kTypes{{{"b1", DType::kBool},
                                                                     {"i1", DType::kInt8},
                                                                     {"u1", DType::kUint8},
                                                                     {"i2", DType::kInt16},
                                                                     {"u2", DType::kUint16},
                                                                     {"i4", DType::kInt32},
                                                                     {"u4", DType::kUint32},
                                                                     {"i8", DType::kInt64},
                                                                     {"u8", DType::kUint64},
                                                                     {"f2", DType::kFloat16},
                                                                     {"f4", DType::kFloat32},
                                                                     {"f8", DType::kFloat64},
                                                                     {"c8", DType::kComplex64},
                                                                     {"c16", DType::kComplex128}}};

struct Header {
  DType dtype = DType::kUndefined;
  bool column_major = false;
  Dims dims;
  std::size_t size = 0;  ///< bytes before the elements
};

Error damaged(const std::string& name, const std::string& why) {
  return Error(ErrorCode::kBadInput, name, "the npy array is damaged: " + why);
}

// What follows 'key': in the header's Python dictionary.
std::string_view value_of(std::string_view dictionary, const std::string& key, const std::string& name) {
  const std::size_t at = dictionary.find("'" + key + "'");
  const std::size_t colon = at == std::string_view::npos ? at : dictionary.find(':', at);
  if (colon == std::string_view::npos) throw damaged(name, "no " + key);
  const std::size_t start = dictionary.find_first_not_of(' ', colon + 1);
  if (start == std::string_view::npos) throw damaged(name, "no " + key);
  return dictionary.substr(start);
}

DType parse_descr(std::string_view value, const std::string& name) {
  const std::size_t end = value.size() > 1 ? value.find('\'', 1) : std::string_view::npos;
  if (value[0] != '\'' || end == std::string_view::npos) {
    throw Error(ErrorCode::kUnsupported, name, "numpy structures are not supported", "an array of numbers");
  }
  const std::string descr(value.substr(1, end - 1));
  for (const auto& [code, dtype] : kTypes) {
    if (descr.size() < 2 || descr.substr(1) != code) continue;
    if (descr[0] == '<' || descr[0] == '|' || descr[0] == '=') return dtype;
    throw Error(ErrorCode::kUnsupported, name, "big-endian arrays are not supported", "<" + descr.substr(1), descr);
  }
  throw Error(ErrorCode::kUnsupported, name, "unsupported numpy element type", "numbers or booleans",
              "'" + descr + "'");
}

Dims parse_shape(std::string_view value, const std::string& name) {
  const std::size_t close = value.find(')');
  if (value[0] != '(' || close == std::string_view::npos) throw damaged(name, "the shape is not a tuple");
  Dims dims;
  for (const std::string& part : split(value.substr(1, close - 1), ',')) {
    const std::string digits = trim(part);
    if (digits.empty()) continue;  // the comma of a one-element tuple
    std::int64_t dim = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), dim);
    if (error != std::errc{} || end != digits.data() + digits.size() || dim < 0) throw damaged(name, "bad shape");
    dims.push_back(dim);
  }
  return dims;
}

Header parse_header(std::string_view content, const std::string& name) {
  if (!content.starts_with(kMagic)) {
    throw Error(ErrorCode::kBadInput, name, "is not a numpy array", "magic number \\x93NUMPY");
  }
  if (content.size() < 12) throw damaged(name, "truncated header");
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(content[i])); };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) {
    throw Error(ErrorCode::kUnsupported, name, "unknown npy format version", "1 to 3", std::to_string(version));
  }
  const std::size_t start = version == 1 ? 10 : 12;
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > content.size() - start) throw damaged(name, "truncated header");
  const std::string_view dictionary = content.substr(start, length);
  Header header;
  header.dtype = parse_descr(value_of(dictionary, "descr", name), name);
  header.column_major = value_of(dictionary, "fortran_order", name).starts_with("True");
  header.dims = parse_shape(value_of(dictionary, "shape", name), name);
  header.size = start + length;
  const std::size_t wanted = bytes_for(header.dtype, header.dims), got = content.size() - header.size;
  if (wanted != got) {
    throw Error(ErrorCode::kBadInput, name,
                got < wanted ? "the npy array is truncated" : "the npy array has trailing bytes",
                std::to_string(wanted) + " bytes", std::to_string(got));
  }
  return header;
}

// Elements of a column-major array in row-major order.
Tensor transposed(const Header& header, const char* data) {
  Tensor result(header.dtype, header.dims);
  std::byte* out = result.mutable_raw();
  const auto width = static_cast<std::size_t>(bits(header.dtype) / 8);
  std::vector<std::int64_t> strides(header.dims.size()), index(header.dims.size());
  std::int64_t stride = 1;
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    strides[axis] = stride;
    stride *= header.dims[axis];
  }
  std::int64_t from = 0;
  for (std::int64_t i = 0; i < result.numel(); ++i, out += width) {
    std::memcpy(out, data + static_cast<std::size_t>(from) * width, width);
    for (std::size_t axis = strides.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < header.dims[axis]) break;
      from -= strides[axis] * header.dims[axis];
      index[axis] = 0;
    }
  }
  return result;
}

Tensor parse_npy(std::string_view content, std::shared_ptr<const void> owner, const std::string& name) {
  const Header header = parse_header(content, name);
  const char* data = content.data() + header.size;
  if (header.column_major && header.dims.size() > 1) return transposed(header, data);
  const auto alignment = static_cast<std::uintptr_t>(bits(header.dtype) / 8);
  const Tensor view = Tensor::view(header.dtype, header.dims, data, std::move(owner));
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0 ? view : view.clone();
}

Tensor writable(const Tensor& tensor, const std::string& name) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kString || dtype == DType::kUndefined) {
    throw Error(ErrorCode::kUnsupported, name, "only numbers can be written to npy files", "",
                std::string(pare::name(dtype)));
  }
  if (dtype != DType::kFloat16 && is_small_float(dtype)) return cast(tensor, DType::kFloat32);
  if (bits(dtype) < 8)
    return cast(tensor, dtype == DType::kUint4 || dtype == DType::kUint2 ? DType::kUint8 : DType::kInt8);
  return tensor;
}

// Magic, version 1.0, a dictionary padded with spaces so that the elements start at a multiple of 64 bytes.
std::string header_of(const Tensor& tensor) {
  std::string descr, shape;
  for (const auto& [code, dtype] : kTypes) {
    if (dtype == tensor.dtype()) descr = (bits(dtype) == 8 ? "|" : "<") + std::string(code);
  }
  for (const std::int64_t dim : tensor.dims()) shape += std::to_string(dim) + ",";
  if (tensor.rank() > 1) shape.pop_back();
  std::string dictionary = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  const std::size_t used = 10 + dictionary.size() + 1;
  dictionary.append((64 - used % 64) % 64, ' ');
  dictionary += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
  return header + dictionary;
}

std::string_view elements_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.raw()), tensor.bytes()};
}

}  // namespace

Tensor read_npy(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> mapped = MappedFile::open(path);
  const std::string_view content(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
  return parse_npy(content, mapped, path.string());
}

NamedTensors read_npz(const std::filesystem::path& path) {
  NamedTensors tensors;
  for (ZipMember& member : read_zip(path)) {
    std::string name = member.name;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    const auto content = std::make_shared<const std::string>(std::move(member.content));
    Tensor tensor = parse_npy(*content, content, path.string() + " array '" + name + "'");
    if (!tensors.emplace(name, std::move(tensor)).second) {
      throw Error(ErrorCode::kBadInput, path.string(), "holds the array '" + name + "' twice");
    }
  }
  return tensors;
}

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  const Tensor numbers = writable(tensor, path.string());
  write_file_atomically(path, [&](const auto& append) {
    append(header_of(numbers));
    append(elements_of(numbers));
  });
}

void write_npz(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::vector<ZipMember> members;
  for (const auto& [name, tensor] : tensors) {
    const Tensor numbers = writable(tensor, path.string() + " array '" + name + "'");
    members.push_back({name + ".npy", header_of(numbers)});
    members.back().content += elements_of(numbers);
  }
  write_zip(path, members);
}

}  // namespace pare::data
