# What the build must know of aarch64; read by the CMakeLists.txt of the tree.
# Atomics stand inline: the library's choose their instructions in a constructor, and we run none.
set(machine_flags -mbranch-protection=standard -mno-outline-atomics)
