#include "pack/planes.h"

#include <bit>
#include <cstring>

#include "pack/fields.h"
#include "pack/zstd.h"

namespace pare::pack {

namespace {

template <class Word>
std::string split(std::string_view elements, bool turned) {
  const std::size_t count = elements.size() / sizeof(Word);
  std::string planes(elements.size(), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, elements.data() + i * sizeof word, sizeof word);
    if (turned) word = std::rotl(word, 1);
    for (std::size_t b = 0; b < sizeof word; ++b) planes[b * count + i] = static_cast<char>(word >> 8 * b);
  }
  return planes;
}

template <class Word>
void join(const std::string& planes, bool turned, char* out) {
  const std::size_t count = planes.size() / sizeof(Word);
  for (std::size_t i = 0; i < count; ++i) {
    Word word = 0;
    for (std::size_t b = 0; b < sizeof word; ++b)
      word = static_cast<Word>(word | static_cast<Word>(static_cast<std::uint8_t>(planes[b * count + i])) << 8 * b);
    if (turned) word = std::rotr(word, 1);
    std::memcpy(out + i * sizeof word, &word, sizeof word);
  }
}

}  // namespace

std::string code_planes(std::string_view elements, std::size_t width, bool turned) {
  const std::string planes = width == 2   ? split<std::uint16_t>(elements, turned)
                             : width == 4 ? split<std::uint32_t>(elements, turned)
                                          : split<std::uint64_t>(elements, turned);
  const std::size_t count = elements.size() / width;
  FieldWriter out;
  std::string body;
  for (std::size_t b = 0; b < width; ++b) {
    const std::string_view plane = std::string_view(planes).substr(b * count, count);
    const std::string packed = compress(plane);
    const bool pays = packed.size() < plane.size();
    out.varint(pays ? packed.size() : 0);
    body += pays ? std::string_view(packed) : plane;
  }
  return out.bytes() + body;
}

void decode_planes(std::string_view coded, std::size_t width, bool turned, char* out, std::size_t size) {
  FieldReader reader(coded);
  const std::size_t count = size / width;
  std::uint64_t sizes[8] = {};
  for (std::size_t b = 0; b < width; ++b) sizes[b] = reader.varint();
  std::string planes(size, '\0');
  for (std::size_t b = 0; b < width; ++b) {
    char* plane = planes.data() + b * count;
    if (sizes[b] == 0)
      std::memcpy(plane, reader.take(count).data(), count);
    else
      decompress_into(reader.take(sizes[b]), plane, count);
  }
  if (reader.left() != 0) throw Damaged("holds bytes after its last plane");
  if (width == 2) return join<std::uint16_t>(planes, turned, out);
  if (width == 4) return join<std::uint32_t>(planes, turned, out);
  join<std::uint64_t>(planes, turned, out);
}

}  // namespace pare::pack
