#include <arch/native.h>

#include <prelude/link/linker.h>
#include <tests/support/elf_builder.h>

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace prelude {
namespace {

constexpr uint64_t kBytes = 16 * test::ElfBuilder::kPage;

// A linker with as much as a mapped object needs.
struct MinimalLinker {
  MinimalLinker() {
    linker->heap.start(memory.get(), kBytes, nullptr, nullptr);
    linker->options = &options;
    linker->host = {arch::Native::kMachine, arch::Native::kPageSize};
  }
  std::unique_ptr<char[]> memory = std::make_unique<char[]>(kBytes);
  Options options;
  std::unique_ptr<Linker> linker = std::make_unique<Linker>();
};

// The vdso of qemu's user mode: a PT_LOAD that says R+W+X and is not writable.
TEST(AdoptObject, WritesNothingWhereTheDynamicSectionSaysReadOnly) {
  test::ElfBuilder builder;
  std::vector<uint8_t> file = builder.soname("linux-vdso.so.1").build();
  ASSERT_LE(file.size(), kBytes);
  elf::FileHeader header;
  memcpy(&header, file.data(), sizeof header);
  auto* headers = reinterpret_cast<elf::ProgramHeader*>(file.data() + header.phoff);
  for (int i = 0; i < header.phnum; ++i)
    if (headers[i].type == elf::kPtDynamic) headers[i].flags = elf::kPfR;
  void* pages = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  memcpy(pages, file.data(), file.size());
  ASSERT_EQ(mprotect(pages, kBytes, PROT_READ), 0);

  MinimalLinker minimal;
  const auto bias = reinterpret_cast<uint64_t>(pages);
  const auto* mapped = reinterpret_cast<const elf::ProgramHeader*>(bias + header.phoff);
  const auto adopted = adopt_object(*minimal.linker, mapped, header.phnum, bias, bias, "vdso");
  ASSERT_TRUE(adopted);
  EXPECT_STREQ((*adopted)->image.soname, "linux-vdso.so.1");
  munmap(pages, kBytes);
}

}  // namespace
}  // namespace prelude
