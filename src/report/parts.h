// The parts of the page, each HTML of its own; "" when the record has nothing for it.
#pragma once

#include <string>

#include "report/record.h"

namespace pare::report {

/// One sentence: "24.1× smaller as gzip, 1.90× faster, −0.41 points (gate passed)".
std::string verdict(const Json& run);
/// What a reader must not miss: a missed gate, steps that did not pay, a slower or larger result, the run's own notes.
std::string alerts(const Json& run);
std::string tiles(const Json& run);
std::string before_after(const Json& run);
std::string steps(const Json& run);
std::string training_curves(const Json& run);
std::string layer_charts(const Json& run);
std::string step_details(const Json& run);  ///< per layer: low-rank factors, channel groups
std::string pruning_details(const Json& step);       ///< what was zeroed and removed, and how it was ranked
std::string quantization_choice(const Json& step);   ///< what quantization chose, why, and what each part cost
std::string quantization_details(const Json& step);  ///< layers back in float, and how calibration spreads
/// `done`, or the entry's `reason` why it was not.
std::string outcome_of(const Json& entry, const std::string& done);
std::string layer_table(const Json& run);
std::string environment(const Json& run);

}  // namespace pare::report
