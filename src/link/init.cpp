// Initialisers and finalisers (gABI ch. 5 "Initialization and Termination Functions").
#include <prelude/link/linker.h>

#include <prelude/base/string.h>
#include <prelude/order/order.h>

namespace prelude {
namespace {

struct ListGraph {
  Module* const* list;
  uint64_t collection;  // under way
};

// The module's neighbours for the sort: its sorted closure once it was a request's root, else its
// direct dependencies. The program is nobody's dependency.
uint32_t neighbour(void* context, uint32_t node, uint32_t k, bool weak) {
  Module* const* list = static_cast<ListGraph*>(context)->list;
  const Module& module = *list[node];
  const Array<Module*>& direct = module.sorted.empty() ? module.needed : module.sorted;
  const Array<Module*>& edges = weak ? module.used : direct;
  if (!weak && module.sorted.empty() && !module.dependencies_known) return UINT32_MAX;
  // An object that ever had relocation dependencies makes the walk one with them (glibc 2.36,
  // measured).
  if (weak && k == 0 && edges.empty() && edges.capacity() != 0) return node;
  if (k >= edges.size()) return UINT32_MAX;
  const Module* target =
      weak ? edges[edges.size() - 1 - k] : edges[k];  // the latest relocation dependency first
  // Not in this list, or the program: name a node that is always visited already, the node itself.
  if (target->kind == ModuleKind::kProgram || !target->in_walk) return node;
  return target->index;
}

// What is not on its way out keeps its place.
bool stays(void* context, uint32_t node) {
  const ListGraph& graph = *static_cast<ListGraph*>(context);
  return graph.list[node]->kept_in == graph.collection;
}

using Initialiser = void (*)(int, char**, char**);
using Finaliser = void (*)();

template <typename Function>
Function function_at(uint64_t address) {
  return reinterpret_cast<Function>(address);
}

bool in_code(const Linker& linker, uint64_t address) {
  const Module* owner = module_of_address(linker, address);
  return owner != nullptr && owner->image.executable(address - owner->image.bias);
}

// Those of a request under way are in no index yet.
bool in_any_code(const Linker& linker, uint64_t address) {
  for (const Namespace* space : linker.spaces)
    for (const Module* module = space->first; module != nullptr; module = module->next)
      if (module->image.executable(address - module->image.bias)) return true;
  return false;
}

// Whether entries of an array, as relocation left them, can be called. A function of another object
// comes into an array by a symbol: where no relocation has one, an address out there went astray.
class EntryCheck {
 public:
  using InCode = bool (*)(const Linker&, uint64_t);
  EntryCheck(const Linker& linker, const Image& image, const FunctionArray& array, InCode in_code)
      : linker_(linker), image_(image), array_(array), in_code_(in_code) {}

  bool callable(uint64_t entry) {
    if (image_.executable(entry - image_.bias)) return true;
    if (!searched_) has_symbols_ = find_symbols();
    searched_ = true;
    return has_symbols_ && in_code_(linker_, entry);
  }

 private:
  [[nodiscard]] bool find_symbols() const {
    for (uint64_t i = 0; i < image_.relocation_count; ++i)
      if (image_.relocations[i].symbol() != 0 &&
          image_.relocations[i].offset - array_.vaddr < array_.count * sizeof(elf::Word))
        return true;
    return false;
  }

  const Linker& linker_;
  const Image& image_;
  const FunctionArray& array_;
  InCode in_code_;
  bool searched_ = false, has_symbols_ = false;
};

void refuse_call(Linker& linker, const Module& module, const char* what) {
  if (linker.remark != nullptr) linker.remark(linker, what, module.path, nullptr);
}

// Entries 0 and -1 are no functions: old linkers mark the ends of the array with them.
bool is_marker(uint64_t entry) { return entry == 0 || entry == UINT64_MAX; }

Error bad_entry(const Module& module, uint64_t entry) {
  return {.code = Errc::kBadField,
          .object = module.path,
          .subject = "init array entry",
          .context = "an address in an executable segment",
          .value = entry - module.image.bias};
}

void call_array(Linker& linker, Module& module, const FunctionArray& array) {
  const auto* entries = static_cast<const elf::Word*>(module.image.address(array.vaddr));
  EntryCheck check(linker, module.image, array, in_code);
  for (uint64_t i = 0; i < array.count; ++i) {
    const uint64_t entry = entries[i];
    if (is_marker(entry)) continue;
    if (!check.callable(entry)) linker.fatal(linker, bad_entry(module, entry));
    function_at<Initialiser>(entry)(linker.process.argc, linker.process.argv, linker.process.envp);
  }
}

// Somebody has written to our records.
void check_seal(Linker& linker, const Module& module) {
  if (module.call_seal == seal_of_calls(module)) [[likely]]
    return;
  linker.fatal(linker, {.code = Errc::kOverwritten, .object = module.path});
}

void trace_call(const Linker& linker, EventKind kind, const Module& module) {
  if (linker.tracer.wants(Topic::kImpcalls))
    linker.tracer.emit(
        {.kind = kind, .topic = Topic::kImpcalls, .object = module.path, .ns = module.name_space});
}

// Told apart from the call itself, which happens outside of any change.
void note_call(Linker& linker, Module& module, bool initialised) {
  const Opening opening(linker);
  module.init_called = initialised;
}

void forget_first(Linker& linker) {
  const Opening opening(linker);
  linker.init_first = nullptr;
}

void initialise(Linker& linker, Module& module) {
  if (module.init_called) return;
  note_call(linker, module, true);
  if (module.kind == ModuleKind::kProgram && linker.personality->libc_initialises_program()) {
    if (const Status status = check_initialisers(linker, module); !status)
      linker.fatal(linker, status.error());
    return;
  }
  trace_call(linker, EventKind::kInit, module);
  if (!module.is_self && !module.is_vdso) {
    check_seal(linker, module);
    if (module.image.init != 0)
      function_at<Initialiser>(module.image.bias + module.image.init)(
          linker.process.argc, linker.process.argv, linker.process.envp);
    call_array(linker, module, module.image.init_array);
  }
  trace_call(linker, EventKind::kInitEnd, module);
}

void finalise_array(Linker& linker, Module& module) {
  const FunctionArray& array = module.image.fini_array;
  const auto* entries = static_cast<const elf::Word*>(module.image.address(array.vaddr));
  EntryCheck check(linker, module.image, array, in_code);
  for (uint64_t i = array.count; i-- > 0;) {
    const uint64_t entry = entries[i];
    if (is_marker(entry)) continue;
    if (!check.callable(entry)) {
      refuse_call(linker, module, "finaliser outside executable memory left out");
      continue;
    }
    function_at<Finaliser>(entry)();
  }
}

}  // namespace

Status check_initialisers(const Linker& linker, const Module& module) {
  const FunctionArray& array = module.image.init_array;
  const auto* entries = static_cast<const elf::Word*>(module.image.address(array.vaddr));
  EntryCheck check(linker, module.image, array, in_any_code);
  for (uint64_t i = 0; i < array.count; ++i)
    if (!is_marker(entries[i]) && !check.callable(entries[i])) return bad_entry(module, entries[i]);
  return Done{};
}

bool sort_closure(Linker& linker, Module** list, uint32_t count, bool pin_first, SortFor purpose) {
  if (count < 2) return true;
  for (uint32_t i = 0; i < count; ++i) {
    list[i]->index = i;
    list[i]->in_walk = true;
  }
  auto* order = linker.heap.make_unfilled<uint32_t>(count);
  auto* sorted = linker.heap.make_unfilled<Module*>(count);
  ListGraph context{list, linker.collection};
  const bool closes = purpose == SortFor::kClose, finalisers = purpose != SortFor::kStart;
  const OrderGraph graph{count, &context, neighbour, closes ? stays : nullptr};
  const auto sort = linker.sort_by_moving ? sort_by_moving : sort_by_dependency;
  const bool ok = order != nullptr && sorted != nullptr &&
                  sort(graph, pin_first, finalisers, order, linker.heap);
  for (uint32_t i = 0; i < count; ++i) list[i]->in_walk = false;
  if (ok) {
    uint32_t used = 0;
    const bool pin = pin_first && finalisers && linker.closed_goes_first;
    if (pin) sorted[used++] = list[0];
    for (uint32_t i = 0; i < count; ++i)
      if (!pin || order[i] != 0) sorted[used++] = list[order[i]];
    copy_bytes(list, sorted, count * sizeof(Module*));
  }
  linker.heap.release_array(order, count);
  linker.heap.release_array(sorted, count);
  return ok;
}

void run_preinitialisers(Linker& linker) {
  Module& program = *linker.program;
  check_seal(linker, program);
  if (program.image.preinit_array.count == 0) return;
  trace_call(linker, EventKind::kPreinit, program);
  call_array(linker, program, program.image.preinit_array);
}

void run_initialisers(Linker& linker, Module& root) {
  // DF_1_INITFIRST: the last such object loaded goes before all others.
  if (Module* first = linker.init_first; first != nullptr) {
    forget_first(linker);
    initialise(linker, *first);
  }
  if (&root == linker.program) run_preinitialisers(linker);
  // A constructor may open or close objects, which can change the list under way: walk a copy.
  constexpr size_t kFew = 32;
  Module* few[kFew];
  const size_t count = root.sorted.size();
  if (count <= kFew) {
    copy_bytes(few, root.sorted.data(), count * sizeof(Module*));
    for (size_t i = count; i-- > 0;) initialise(linker, *few[i]);
    return;
  }
  begin_change(linker);
  auto* list = linker.heap.make_array<Module*>(count);
  if (list != nullptr) copy_bytes(list, root.sorted.data(), count * sizeof(Module*));
  end_change(linker);
  if (list == nullptr) return;
  for (size_t i = count; i-- > 0;) initialise(linker, *list[i]);
  const Change change(linker);
  linker.heap.release_array(list, count);
}

bool run_finaliser(Linker& linker, Module& module) {
  if (!module.init_called) return false;
  note_call(linker, module, false);
  // The loader's turn is told once, not again for its namesakes in other namespaces.
  if (linker.tracer.wants(Topic::kImpcalls) && module.stands_for == nullptr)
    linker.tracer.emit({.kind = EventKind::kFini,
                        .topic = Topic::kImpcalls,
                        .object = module.map->l_name,
                        .ns = module.name_space});
  if (module.is_self || module.is_vdso) return true;
  check_seal(linker, module);
  finalise_array(linker, module);
  if (module.image.fini != 0) function_at<Finaliser>(module.image.bias + module.image.fini)();
  return true;
}

namespace {

// Compat: 2.36 leaves out the loader in other namespaces here, though not in a dlclose.
void tell_of_end(Linker& linker, Module& module) {
  if (module.stands_for == nullptr || linker.personality->audit_rules().loader_in_each_space)
    linker.auditor->closed(linker, module);
}

void finalise_space(Linker& linker, Namespace& space) {
  begin_change(linker);
  const uint32_t count = space.count;
  auto* list = linker.heap.make_array<Module*>(count);
  uint32_t used = list != nullptr ? 0 : count;
  for (Module* module = space.first; module != nullptr && used < count; module = module->next) {
    if (space.index != 0 && module == linker.self) continue;
    ++module->open_count;  // a finaliser that closes objects must not take them away from this walk
    list[used++] = module;
  }
  const bool sorted =
      list != nullptr && sort_closure(linker, list, used, space.index == 0, SortFor::kEnd);
  end_change(linker);
  for (uint32_t i = 0; sorted && i < used; ++i) {
    const bool had_turn = run_finaliser(linker, *list[i]);
    if (had_turn && linker.auditor != nullptr) tell_of_end(linker, *list[i]);
    const Opening opening(linker);
    --list[i]->open_count;
  }
}

// Last opened, first finalised.
void finalise_spaces(Linker& linker, bool of_auditors) {
  for (size_t n = linker.spaces.size(); n-- > 0;) {
    Namespace& space = *linker.spaces[n];
    if (space.count == 0 || space.auditing != of_auditors) continue;
    if (linker.auditor != nullptr) linker.auditor->activity(linker, space, Activity::kDelete);
    finalise_space(linker, space);
    if (linker.auditor != nullptr) linker.auditor->activity(linker, space, Activity::kConsistent);
  }
}

}  // namespace

void run_all_finalisers(Linker& linker) {
  finalise_spaces(linker, false);
  // Auditors have seen all of it by now.
  if (linker.auditor != nullptr) finalise_spaces(linker, true);
}

}  // namespace prelude
