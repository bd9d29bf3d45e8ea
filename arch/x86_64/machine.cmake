# What the build must know of x86-64; read by the CMakeLists.txt of the tree.
set(machine_flags -fcf-protection=full)
# Built for size, GCC would copy by string instructions, whose start costs more than a call.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set(machine_size_flags -mstringop-strategy=libcall)
endif()
