#include <prelude/base/guarded.h>

namespace prelude {

PRELUDE_CLOSED_AFTER_START constinit uint64_t pointer_key = 0;

}  // namespace prelude
