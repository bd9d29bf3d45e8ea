# What the build must know of i386; read by the CMakeLists.txt of the tree.
# The processors of Debian's port have no vectors for certain; those of base/mem.cpp become words, and no
# function hands one on (-Wpsabi).
set(machine_flags -march=i686 -mno-sse -mno-mmx -mno-80387 -fcf-protection=none -Wno-psabi)
