# For cmake --toolchain on another machine; Debian's cross compiler.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc-12)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++-12)
set(CMAKE_ASM_COMPILER riscv64-linux-gnu-gcc-12)
