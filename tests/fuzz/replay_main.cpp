// replay [--rounds N] [--write-seeds DIR] [FILE or DIR ...]: runs a fuzz target without libFuzzer:
// over its seeds, each cut at many lengths, over files, and over N mutations of all of them by a
// fixed random sequence.
#include "fuzz.h"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

using Input = std::vector<uint8_t>;

uint64_t random_state = 0x9e3779b97f4a7c15;
uint64_t next_random() {  // xorshift64
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
size_t below(size_t limit) { return static_cast<size_t>(next_random() % limit); }

void run(const Input& input) {
  // A copy of exactly that size, so that a read behind its end is seen.
  Input exact(input);
  exact.shrink_to_fit();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void mutate(Input& input) {
  static constexpr uint64_t kNasty[] = {0,
                                        1,
                                        2,
                                        7,
                                        0x7f,
                                        0x80,
                                        0xff,
                                        0x7fff,
                                        0xffff,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        0x7fffffffffffffff,
                                        0x8000000000000000,
                                        ~uint64_t{0},
                                        ~uint64_t{0xfff}};
  for (size_t change = 1 + below(4); change-- > 0 && !input.empty();) {
    const size_t at = below(input.size());
    switch (below(5)) {
      case 0:
        input[at] ^= static_cast<uint8_t>(1U << below(8));
        break;
      case 1:
        input[at] = static_cast<uint8_t>(next_random());
        break;
      case 2: {
        const size_t width = size_t{1} << below(4), start = at / width * width;
        const uint64_t value = kNasty[below(std::size(kNasty))];
        std::memcpy(&input[start], &value, std::min(width, input.size() - start));
        break;
      }
      case 3:
        std::memmove(&input[at], &input[below(input.size())], 1);
        break;
      default:
        if (below(16) == 0) input.resize(at);
        break;
    }
  }
}

void read_files(const std::filesystem::path& path, std::vector<Input>& out) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path))
      read_files(entry.path(), out);
    return;
  }
  std::ifstream file(path, std::ios::binary);
  out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

int write_seeds(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  size_t index = 0;
  for (const Input& seed : fuzz_seeds()) {
    std::ofstream file(directory / ("seed" + std::to_string(index++)), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()),
               static_cast<std::streamsize>(seed.size()));
    if (!file) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  size_t rounds = 2000;
  std::vector<Input> corpus = fuzz_seeds();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--rounds" && i + 1 < argc)
      rounds = std::stoul(argv[++i]);
    else if (argument == "--write-seeds" && i + 1 < argc)
      return write_seeds(argv[++i]);
    else
      read_files(argument, corpus);
  }
  for (const Input& input : corpus) {
    run(input);
    const size_t step = input.size() / 200 + 1;
    for (size_t size = 0; size < input.size(); size += step)
      run(Input(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  for (size_t i = 0; i < rounds; ++i) {
    Input input = corpus[below(corpus.size())];
    mutate(input);
    run(input);
  }
  std::printf("%zu inputs and %zu mutations\n", corpus.size(), rounds);
}
