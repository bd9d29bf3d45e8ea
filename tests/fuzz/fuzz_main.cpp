// Runs a fuzz target without libFuzzer: over its seeds, each cut at many lengths, over files, and
// over N mutations by a fixed random sequence. A mutation that reaches something new is kept and
// mutated on.
//
//   TARGET [--rounds N] [--seed N] [--last FILE] [--write-seeds DIR] [FILE or DIR ...]
//
// --last keeps each input in FILE before it runs: after a crash it holds the culprit.
#include "fuzz.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "feedback.h"
#include "mutate.h"

namespace {

using prelude::fuzz::Input;
using prelude::fuzz::Random;

constexpr size_t kMostKept = 4096, kLongest = 65536;
constexpr unsigned kHangSeconds = 60;

const char* last_file = nullptr;

void write_file(const std::filesystem::path& path, const Input& input) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(input.data()),
             static_cast<std::streamsize>(input.size()));
}

/// True if the run reached something new.
bool run(const Input& input) {
  if (last_file != nullptr) write_file(last_file, input);
  // A copy of exactly that size, so that a read behind its end is seen.
  Input exact(input);
  exact.shrink_to_fit();
  alarm(kHangSeconds);
  prelude::fuzz::start_feedback();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return prelude::fuzz::stop_feedback();
}

void read_files(const std::filesystem::path& path, std::vector<Input>& out) {
  if (std::filesystem::is_directory(path)) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& entry : paths) read_files(entry, out);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

int write_seeds(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  size_t index = 0;
  for (const Input& seed : fuzz_seeds())
    write_file(directory / ("seed" + std::to_string(index++)), seed);
  return index != 0 ? 0 : 1;
}

// All inputs as they are, and cut short.
void replay(const std::vector<Input>& corpus) {
  for (const Input& input : corpus) {
    run(input);
    const size_t step = input.size() / 200 + 1;
    for (size_t size = 0; size < input.size(); size += step)
      run(Input(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)));
  }
}

void explore(std::vector<Input>& corpus, size_t rounds, Random random) {
  for (size_t i = 0; i < rounds; ++i) {
    // Half of the time one of those found last.
    const size_t recent = std::min<size_t>(corpus.size(), 32);
    const size_t base = random.below(2) == 0 ? random.below(corpus.size())
                                             : corpus.size() - 1 - random.below(recent);
    Input input = corpus[base];
    mutate(input, corpus[random.below(corpus.size())], kLongest, random);
    if (run(input) && corpus.size() < kMostKept) corpus.push_back(std::move(input));
  }
}

}  // namespace

int main(int argc, char** argv) {
  size_t rounds = 2000;
  uint64_t seed = 1;
  std::vector<Input> corpus = fuzz_seeds();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool more = i + 1 < argc;
    if (argument == "--rounds" && more)
      rounds = std::stoul(argv[++i]);
    else if (argument == "--seed" && more)
      seed = std::stoul(argv[++i]);
    else if (argument == "--last" && more)
      last_file = argv[++i];
    else if (argument == "--write-seeds" && more)
      return write_seeds(argv[++i]);
    else
      read_files(argument, corpus);
  }
  const size_t given = corpus.size();
  replay(corpus);
  const size_t at_first = prelude::fuzz::known_edges();
  explore(corpus, rounds, Random(seed));
  std::printf("%zu inputs, %zu mutations, %zu of them kept; edges: %zu, then %zu\n", given, rounds,
              corpus.size() - given, at_first, prelude::fuzz::known_edges());
}
