#include "src/glibc/x86_64/describe_processors.h"

#include <tests/support/test_heap.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace prelude::glibc {
namespace {

// Answers to a range of subleaves; the low byte of ecx may be that of the subleaf.
struct Answer {
  uint32_t leaf, first, last;
  arch::CpuidLeaf values;
  bool echoes = false;
};
using Answers = std::vector<Answer>;

constexpr uint32_t kAll = 0xffff;

arch::CpuidLeaf answer(void* context, uint32_t leaf, uint32_t subleaf) {
  for (const Answer& row : *static_cast<Answers*>(context)) {
    if (row.leaf != leaf || subleaf < row.first || subleaf > row.last) continue;
    arch::CpuidLeaf values = row.values;
    if (row.echoes) values.ecx |= subleaf & 0xff;
    return values;
  }
  return {};
}

arch::CpuSource source_of(Answers& answers) {
  return {answer, [](void*) -> uint64_t { return 7; }, &answers};
}

class Processors : public testing::Test {
 protected:
  ProcessorFacts read(Answers answers, bool xsave = false) {
    ProcessorFacts facts;
    EXPECT_TRUE(read_processor(heap_, source_of(answers), xsave, facts));
    return facts;
  }

 private:
  test::TestHeap heap_;
};

// Of each answer but eax and ecx nothing is shown here, and the key's beginning neither.
std::string differences(const ProcessorFacts& now, const ProcessorFacts& before) {
  char buffer[16384];
  Writer out(buffer, sizeof buffer);
  write_processor(out, {.index = 1, .requested = 3}, now, before);
  std::string text;
  std::string rest(out.text());
  while (!rest.empty()) {
    const size_t end = rest.find('\n') + 1;
    const std::string line = rest.substr(0, end);
    rest.erase(0, end);
    if (line.find(".ebx=") != std::string::npos || line.find(".edx=") != std::string::npos)
      continue;
    EXPECT_EQ(line.find("x86.processor[0x1]."), 0U) << line;
    text += line.substr(std::string("x86.processor[0x1].").size());
  }
  return text;
}

std::string head(const char* leaves) {
  return std::string("requested=0x3\nobserved=0x0\nobserved_node=0x0\ncpuid_leaves=") + leaves +
         "\necx_limit=0x1ff\n";
}

const Answer kUpToFive = {0, 0, kAll, {5, 0, 0, 0}};
const std::string kLeafZero = "cpuid.eax[0x0].eax=0x5\ncpuid.eax[0x0].ecx=0x0\n";

// The expected texts are what glibc 2.43 makes of such answers.
TEST_F(Processors, OneAnswerForAllSubleavesIsToldOnce) {
  const ProcessorFacts one = read({kUpToFive,
                                   {1, 0, kAll, {1, 2, 3, 4}},
                                   {2, 0, 0, {5, 0, 6, 0}},
                                   {3, 0, kAll, {7, 0, 0x100, 0}, true}});
  EXPECT_EQ(differences(one, read({})), head("0x4") + kLeafZero +
                                            "cpuid.eax[0x1].eax=0x1\ncpuid.eax[0x1].ecx=0x3\n"
                                            "cpuid.eax[0x2].eax=0x5\ncpuid.eax[0x2].ecx=0x6\n"
                                            "cpuid.eax[0x3].eax=0x7\ncpuid.eax[0x3].ecx=0x100\n");
}

TEST_F(Processors, RunsOfSubleaves) {
  const ProcessorFacts one = read({kUpToFive,
                                   {1, 0, 2, {1, 0, 1, 0}},
                                   {1, 3, kAll, {7, 0, 0, 0}},
                                   {2, 1, 0x1ff, {0, 0, 0, 0}, true},
                                   {3, 0x80, 0x80, {9, 0, 0, 0}}});
  EXPECT_EQ(
      differences(one, read({})),
      head("0x5") + kLeafZero +
          "cpuid.subleaf_eax[0x1].ecx[0x0].eax=0x1\ncpuid.subleaf_eax[0x1].ecx[0x0].ecx=0x1\n"
          "cpuid.subleaf_eax[0x1].ecx[0x0].until_ecx=0x2\n"
          "cpuid.subleaf_eax[0x1].ecx[0x3].eax=0x7\ncpuid.subleaf_eax[0x1].ecx[0x3].ecx=0x0\n"
          "cpuid.subleaf_eax[0x1].ecx[0x3].until_ecx=0x1ff\n"
          "cpuid.subleaf_eax[0x2].ecx[0x1].eax=0x0\ncpuid.subleaf_eax[0x2].ecx[0x1].ecx=0x1\n"
          "cpuid.subleaf_eax[0x2].ecx[0x1].until_ecx=0x1ff\n"
          "cpuid.subleaf_eax[0x2].ecx[0x1].ecx_query_mask=0xff\n"
          "cpuid.subleaf_eax[0x3].ecx[0x80].eax=0x9\ncpuid.subleaf_eax[0x3].ecx[0x80].ecx=0x0\n");
}

TEST_F(Processors, AnEchoEndsWhereItIsNone) {
  const ProcessorFacts one =
      read({kUpToFive, {1, 0, 0, {1, 0, 0, 0}}, {1, 1, 1, {1, 0, 1, 0}}, {1, 2, 3, {1, 0, 0, 0}}});
  EXPECT_EQ(differences(one, read({})),
            head("0x3") + kLeafZero +
                "cpuid.subleaf_eax[0x1].ecx[0x0].eax=0x1\ncpuid.subleaf_eax[0x1].ecx[0x0].ecx=0x0\n"
                "cpuid.subleaf_eax[0x1].ecx[0x0].until_ecx=0x1\n"
                "cpuid.subleaf_eax[0x1].ecx[0x0].ecx_query_mask=0xff\n"
                "cpuid.subleaf_eax[0x1].ecx[0x2].eax=0x1\ncpuid.subleaf_eax[0x1].ecx[0x2].ecx=0x0\n"
                "cpuid.subleaf_eax[0x1].ecx[0x2].until_ecx=0x3\n");
}

TEST_F(Processors, OnlyWhatDiffersFromTheOneBefore) {
  const ProcessorFacts before = read({kUpToFive,
                                      {1, 1, 3, {1, 0, 1, 0}},
                                      {2, 1, 3, {1, 0, 0, 0}, true},
                                      {3, 0, 0, {1, 0, 0, 0}},
                                      {3, 1, 1, {2, 0, 0, 0}},
                                      {4, 0, 0, {1, 0, 0, 0}},
                                      {5, 0, 0, {1, 0, 0, 0}}});
  const ProcessorFacts now = read({kUpToFive,
                                   {1, 1, 3, {1, 0, 0, 0}, true},
                                   {2, 9, 9, {1, 0, 0, 0}},
                                   {3, 0, 0, {3, 0, 0, 0}},
                                   {4, 0, 0, {2, 0, 0, 0}},
                                   {4, 3, 3, {2, 0, 0, 0}}});
  EXPECT_EQ(differences(now, before),
            head("0x6") +
                "cpuid.subleaf_eax[0x2].ecx[0x1].eax=0x0\ncpuid.subleaf_eax[0x2].ecx[0x1].ecx=0x0\n"
                "cpuid.subleaf_eax[0x2].ecx[0x1].until_ecx=0x3\n"
                "cpuid.subleaf_eax[0x2].ecx[0x1].ecx_query_mask=0xff\n"
                "cpuid.subleaf_eax[0x2].ecx[0x9].eax=0x1\ncpuid.subleaf_eax[0x2].ecx[0x9].ecx=0x0\n"
                "cpuid.eax[0x3].eax=0x3\ncpuid.eax[0x3].ecx=0x0\n"
                "cpuid.subleaf_eax[0x3].ecx[0x1].eax=0x0\ncpuid.subleaf_eax[0x3].ecx[0x1].ecx=0x0\n"
                "cpuid.subleaf_eax[0x4].ecx[0x0].eax=0x2\ncpuid.subleaf_eax[0x4].ecx[0x0].ecx=0x0\n"
                "cpuid.subleaf_eax[0x4].ecx[0x3].eax=0x2\ncpuid.subleaf_eax[0x4].ecx[0x3].ecx=0x0\n"
                "cpuid.eax[0x5].eax=0x0\ncpuid.eax[0x5].ecx=0x0\n");
}

TEST_F(Processors, ExtendedLeavesAndXgetbv) {
  const ProcessorFacts one = read({{0, 0, kAll, {1, 0, 0, 0}},
                                   {1, 0, kAll, {1, 0, 3, 0}},
                                   {0x80000000, 0, 0, {0x80000001, 0, 0, 0}},
                                   {0x80000001, 0, kAll, {2, 0, 0, 0}}},
                                  true);
  EXPECT_EQ(
      differences(one, read({{0, 0, kAll, {1, 0, 0, 0}}})),
      head("0x4") +
          "cpuid.eax[0x1].eax=0x1\ncpuid.eax[0x1].ecx=0x3\n"
          "cpuid.eax[0x80000000].eax=0x80000001\ncpuid.eax[0x80000000].ecx=0x0\n"
          "cpuid.eax[0x80000001].eax=0x2\ncpuid.eax[0x80000001].ecx=0x0\nxgetbv.ecx[0x0]=0x7\n");
}

TEST_F(Processors, NothingIsAskedWhereThereAreNoLeaves) {
  EXPECT_EQ(differences(read({{0x80000000, 0, 0, {0x80000001, 0, 0, 0}}}), read({})), head("0x0"));
}

}  // namespace
}  // namespace prelude::glibc
