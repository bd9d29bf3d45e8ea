#include <arch/aarch64/instructions.h>
#include <prelude/base/guarded.h>

PRELUDE_CLOSED_AFTER_START constinit prelude::arch::ResolverArguments prelude_resolver_arguments =
    {};
