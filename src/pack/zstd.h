// zstd, for what needs no model of its own. zstd.cpp is the only file that includes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pare::pack {

/// One frame at a high level.
std::string compress(std::string_view bytes);
/// The frame's content; throws Damaged when it is not one, or holds more than `most` bytes.
std::string decompress(std::string_view frame, std::uint64_t most);
/// Into memory of exactly the content's size; throws Damaged when it is anything else.
void decompress_into(std::string_view frame, char* out, std::size_t size);

}  // namespace pare::pack
