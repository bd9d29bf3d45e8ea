# What the build must know of riscv64 (lp64d); read by the CMakeLists.txt of the tree.
# GCC counts the machine among those that cannot read a word at any address. The kernel promises that programs can;
# what is found in files is checked where a decoder makes a pointer of it.
set(machine_flags $<$<COMPILE_LANGUAGE:CXX>:-Wno-cast-align>)
