#include "pare/version.h"

#include "pare_build_id.h"

namespace pare {

const char* version() noexcept { return PARE_VERSION; }
const char* commit() noexcept { return PARE_COMMIT; }
const char* build_id() noexcept { return PARE_BUILD_ID; }

}  // namespace pare
