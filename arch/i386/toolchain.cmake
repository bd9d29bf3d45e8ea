# For cmake --toolchain on x86-64, whose compiler makes these files too (Debian: g++-multilib).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i386)
set(CMAKE_C_COMPILER gcc)
set(CMAKE_CXX_COMPILER g++)
foreach(language C CXX ASM)
  set(CMAKE_${language}_FLAGS_INIT -m32)
endforeach()
