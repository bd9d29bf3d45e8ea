// A fuzz target is one file with two functions: libFuzzer's entry, and seeds for its corpus. Linked
// with replay_main.cpp it runs the seeds, files, and a fixed number of mutations with any compiler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

/// Well-formed inputs.
std::vector<std::vector<uint8_t>> fuzz_seeds();
