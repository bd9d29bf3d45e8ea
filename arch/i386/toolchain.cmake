# For cmake --toolchain on x86-64, whose compiler makes these files too. Debian: g++-12-multilib; the package
# g++-multilib excludes cross compilers, and without it the kernel's headers are found by their directory.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i386)
set(CMAKE_C_COMPILER gcc)
set(CMAKE_CXX_COMPILER g++)
foreach(language C CXX ASM)
  set(CMAKE_${language}_FLAGS_INIT "-m32 -isystem /usr/include/x86_64-linux-gnu")
endforeach()
