#include <arch/x86_64/plt_watch.h>

namespace prelude::arch {
namespace {

bool same(const VectorLow& a, const VectorLow& b) {
  return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

void settle(VectorLow& low, VectorWhole& whole, const VectorLow& before) {
  const VectorLow low_of_whole = {{whole.words[0], whole.words[1]}};
  if (same(low, before))
    low = low_of_whole;
  else if (!same(low, low_of_whole))
    whole = {{low.words[0], low.words[1], 0, 0, 0, 0, 0, 0}};
}

}  // namespace

VectorsBefore<8> note_vectors(const CallArguments& arguments) {
  VectorsBefore<8> before;
  for (size_t i = 0; i < 8; ++i) before.low[i] = arguments.low[i];
  return before;
}

VectorsBefore<2> note_vectors(const CallResult& result) { return {{result.low[0], result.low[1]}}; }

void settle_vectors(CallArguments& arguments, const VectorsBefore<8>& before) {
  for (size_t i = 0; i < 8; ++i) settle(arguments.low[i], arguments.whole[i], before.low[i]);
}

void settle_vectors(CallResult& result, const VectorsBefore<2>& before) {
  for (size_t i = 0; i < 2; ++i) settle(result.low[i], result.whole[i], before.low[i]);
}

}  // namespace prelude::arch
