// Which Pare this is.
#pragma once

namespace pare {

const char* version() noexcept;   ///< "0.1.0"
const char* commit() noexcept;    ///< twelve digits of the commit it was configured from; "" outside a checkout
const char* build_id() noexcept;  ///< a plug-in must carry the same

}  // namespace pare
