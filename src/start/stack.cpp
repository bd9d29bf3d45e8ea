// The initial process stack (psABI x86-64 3.4.1): argc, argv, environment, auxiliary vector.
#include "start.h"

#include <prelude/base/string.h>

namespace prelude::start {

const elf::AuxEntry* InitialStack::find(uint64_t type) const {
  for (const elf::AuxEntry* entry = auxv; entry->type != elf::kAtNull; ++entry)
    if (entry->type == type) return entry;
  return nullptr;
}

uint64_t InitialStack::value(uint64_t type, uint64_t otherwise) const {
  const elf::AuxEntry* entry = find(type);
  return entry == nullptr ? otherwise : entry->value;
}

uint64_t InitialStack::pointer_guard() const {
  uint64_t guard = 0;
  const auto* random = reinterpret_cast<const char*>(value(elf::kAtRandom));
  if (random != nullptr) copy_bytes(&guard, random + sizeof guard, sizeof guard);
  return guard;
}

InitialStack decode_stack(uintptr_t* stack) {
  InitialStack result;
  result.argc_word = stack;
  Process& process = result.process;
  process.argc = static_cast<int>(stack[0]);
  process.argv = reinterpret_cast<char**>(stack + 1);
  process.envp = process.argv + process.argc + 1;
  char** end = process.envp;
  while (*end != nullptr) ++end;
  result.auxv = reinterpret_cast<elf::AuxEntry*>(end + 1);
  // Without the kernel's word the process counts as secure.
  process.secure = result.value(elf::kAtSecure, 1) != 0;
  return result;
}

void drop_arguments(InitialStack& stack, int count) {
  uintptr_t* words = stack.argc_word;
  words[0] -= static_cast<uintptr_t>(count);
  const uintptr_t* from = words + 1 + count;
  uintptr_t* to = words + 1;
  while ((*to++ = *from++) != 0) {
  }
  while ((*to++ = *from++) != 0) {
  }
  for (bool more = true; more; to += 2, from += 2) {
    // With one argument dropped to[1] is from[0]: both are read before either is written.
    const uintptr_t type = from[0], value = from[1];
    to[0] = type;
    to[1] = value;
    more = type != elf::kAtNull;
  }
  const bool secure = stack.process.secure;
  stack = decode_stack(words);
  stack.process.secure = secure;
}

}  // namespace prelude::start
