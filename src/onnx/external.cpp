#include "onnx/external.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "onnx/fail.h"

namespace pare::onnx {

namespace {

std::uint64_t number(const std::string& text, const std::string& key, const std::string& subject) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty())
    fail(subject, "external data has a malformed " + key, "a number of bytes", in_quotes(text));
  return value;
}

struct Place {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

Place place_of(const TensorProto& tensor, const std::string& subject) {
  Place place;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() == "offset") place.offset = number(entry.value(), "offset", subject);
    if (entry.key() == "length") place.length = number(entry.value(), "length", subject);
  }
  if (place.location.empty()) fail(subject, "external data names no file", "a 'location'");
  return place;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

}  // namespace

std::shared_ptr<const MappedFile> ExternalFiles::map(const std::string& location, const std::string& subject) {
  if (const auto known = files_.find(location); known != files_.end()) return known->second;
  const std::string file = "external data file " + in_quotes(location);
  const fs::path relative(location);
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  if (relative.is_absolute() || climbs || location.find('\0') != std::string::npos)
    fail(subject, file + " lies outside the model's folder", "a path inside it");
  std::error_code error;
  const fs::path path = folder_ / relative;
  const fs::path real = fs::canonical(path, error);
  if (error) fail(subject, file + " is missing");
  if (!lies_in(real, fs::canonical(folder_, error)))
    fail(subject, file + " lies outside the model's folder (it is reached through a symbolic link)",
         "a path inside it");
  if (!fs::is_regular_file(real, error)) fail(subject, file + " is not a regular file");
  return files_[location] = MappedFile::open(path);
}

ExternalData ExternalFiles::find(const TensorProto& tensor, std::uint64_t expected, const std::string& subject) {
  const Place place = place_of(tensor, subject);
  if (place.length && *place.length != expected)
    fail(subject, "external data in " + in_quotes(place.location) + " has the wrong length",
         std::to_string(expected) + " bytes", std::to_string(*place.length));
  const auto mapped = map(place.location, subject);
  const std::uint64_t size = mapped->bytes().size();
  if (place.offset > size || expected > size - place.offset)
    fail(subject, "external data file " + in_quotes(place.location) + " is too short",
         std::to_string(expected) + " bytes at offset " + std::to_string(place.offset),
         "a file of " + std::to_string(size));
  return {{reinterpret_cast<const char*>(mapped->bytes().data()) + place.offset, expected}, mapped};
}

}  // namespace pare::onnx
