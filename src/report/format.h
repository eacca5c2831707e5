// Figures and text for people.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pare::report {

using Figure = std::optional<double>;

inline constexpr const char* kAbsent = "—";

std::string escape(std::string_view text);  ///< for element content and quoted attributes
std::string fixed(double value, int digits);
std::string percent(Figure value, int digits = 2);  ///< of a figure in percent
std::string milliseconds(Figure value);             ///< three significant digits and the unit that fits
std::string bytes(Figure value);
std::string count(Figure value);
std::string plain(Figure value);                      ///< whole numbers as they are, others with four digits
std::string ratio(Figure before, Figure after);       ///< before divided by after: "3.20×"
std::string difference(Figure before, Figure after);  ///< in points, with sign: "−0.41"
std::string signed_fixed(double value, int digits);   ///< with a true minus sign

}  // namespace pare::report
