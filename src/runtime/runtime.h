// The CPU backend.
#pragma once

#include "exec/backend.h"

namespace pare::runtime {

/// The backend on this CPU. Stateless; safe to share.
const exec::Backend& backend();

}  // namespace pare::runtime
