// --why LIB: who needs it, the chain that brought it in, where it was looked for, and what is used
// of it. --init-order: in which order initialisers and finalisers run.
#include <prelude/base/string.h>

#include "answers.h"

namespace prelude::explain {
namespace {

constexpr uint32_t kMostShown = 5;

struct Uses {
  const Module* target;
  uint32_t count = 0;
  const char* names[kMostShown] = {};
};

bool count_use(void* context, const Binding& binding) {
  auto& uses = *static_cast<Uses*>(context);
  if (!binding.found || binding.found->symbol == nullptr || binding.found->module != uses.target)
    return true;
  if (uses.count < kMostShown)
    uses.names[uses.count] = binding.user.image.string(binding.reference.name);
  ++uses.count;
  return true;
}

void tell_needs(Answer& answer, const Module& target) {
  if (answer.as_json()) answer.json.array("needed_by");
  bool any = false;
  for (const Module* module = answer.first(); module != nullptr; module = module->next) {
    const char* name = nullptr;
    if (module == &target || !needs_directly(*module, target, name)) continue;
    any = true;
    if (answer.as_json()) {
      answer.json.object().text("object", module->path).text("as", name).close();
      continue;
    }
    answer.say("needed by ", module->path);
    if (name != nullptr && !equal(name, base_name(target.path))) answer.say(" as ", name);
    answer.out.put('\n');
  }
  if (answer.as_json())
    answer.json.close();
  else if (!any && &target != answer.linker.program)
    answer.out.put(target.is_vdso ? "brought by the kernel\n" : "needed by no object\n");
}

// From the object up to the program, or to a preload.
void tell_chain(Answer& answer, const Module& target) {
  if (answer.as_json()) answer.json.array("chain");
  if (!answer.as_json()) answer.out.put("first asked for by ");
  const Module* module = target.loader;
  if (module == nullptr && !answer.as_json())
    answer.out.put(target.kind == ModuleKind::kProgram ? "the user"
                                                       : "nobody: it is there, or preloaded");
  for (bool first = true; module != nullptr; module = module->loader, first = false) {
    if (answer.as_json())
      answer.json.text(nullptr, module->path);
    else
      answer.say(first ? "" : ", needed by ", module->path);
  }
  if (answer.as_json())
    answer.json.close();
  else
    answer.out.put('\n');
}

const char* step_word(EventKind kind) {
  switch (kind) {
    case EventKind::kSearchPath:
      return "directories";
    case EventKind::kSearchCache:
      return "cache";
    case EventKind::kTryRefused:
      return "refused";
    default:
      return "tried";
  }
}

void tell_search(Answer& answer, const SearchLog& log) {
  if (answer.as_json()) answer.json.array("search");
  const auto& steps = log.steps();
  for (size_t i = 0; i < steps.size(); ++i) {
    const SearchLog::Step& step = steps[i];
    if (answer.as_json()) {
      answer.json.object()
          .text("step", step_word(step.kind))
          .text("path", step.text)
          .text("detail", step.detail)
          .close();
      continue;
    }
    if (step.kind == EventKind::kTryRefused) continue;  // told with the attempt
    const bool refused = i + 1 < steps.size() && steps[i + 1].kind == EventKind::kTryRefused;
    answer.out.put("  ").put(step_word(step.kind)).put(' ');
    answer.name(step.text);
    const char* detail = refused ? steps[i + 1].detail : step.detail;
    if (detail != nullptr) answer.say(" (", detail).put(')');
    answer.out.put('\n');
  }
  if (answer.as_json())
    answer.json.close();
  else if (steps.empty())
    answer.out.put("  no search: its name was a path, or it was there already\n");
}

void tell_uses(Answer& answer, const Module& target) {
  if (answer.as_json()) answer.json.array("used_by");
  for (Module* module = answer.first(); module != nullptr; module = module->next) {
    if (module == &target || module->scope == nullptr || module->is_self || module->is_vdso)
      continue;
    Uses uses{&target};
    for_each_binding(answer.linker, *module, true, count_use, &uses);
    if (uses.count == 0) continue;
    const uint32_t shown = uses.count < kMostShown ? uses.count : kMostShown;
    if (answer.as_json()) {
      answer.json.object()
          .text("object", module->path)
          .number("symbols", uses.count)
          .array("first");
      for (uint32_t i = 0; i < shown; ++i) answer.json.text(nullptr, uses.names[i]);
      answer.json.close().close();
      continue;
    }
    answer.say("used by ", module->path).put(": ").decimal(uses.count);
    answer.out.put(uses.count == 1 ? " symbol (" : " symbols (");
    for (uint32_t i = 0; i < shown; ++i) answer.say(i != 0 ? ", " : "", uses.names[i]);
    answer.out.put(shown < uses.count ? ", ...)\n" : ")\n");
  }
  if (answer.as_json()) answer.json.close();
}

uint64_t functions_of(const FunctionArray& array, uint64_t one) {
  return array.count + (one != 0 ? 1 : 0);
}

void print_functions(Answer& answer, const Module& module) {
  const Image& image = module.image;
  const uint64_t init = functions_of(image.init_array, image.init);
  const uint64_t fini = functions_of(image.fini_array, image.fini);
  if (answer.as_json()) {
    answer.json.object()
        .text("object", module.path)
        .number("initialisers", init)
        .number("finalisers", fini)
        .number("preinitialisers",
                module.kind == ModuleKind::kProgram ? image.preinit_array.count : 0)
        .close();
    return;
  }
  answer.say("  ", module.path).put(": ").decimal(init);
  answer.out.put(init == 1 ? " initialiser, " : " initialisers, ").decimal(fini);
  answer.out.put(fini == 1 ? " finaliser" : " finalisers");
  if (module.kind == ModuleKind::kProgram && image.preinit_array.count != 0)
    answer.out.put(", ").decimal(image.preinit_array.count).put(" run before all others");
  answer.out.put('\n');
}

}  // namespace

int explain_library(Answer& answer, const SearchLog& log) {
  const char* wanted = answer.options.question_argument;
  const Module* target = module_called(answer.linker, wanted);
  if (target == nullptr) {
    if (answer.as_json())
      answer.json.object().text("library", wanted).text("path", nullptr).close();
    else
      answer.name(wanted).put(" is not loaded: no object needs it\n");
    return kNothingMeant;
  }
  if (answer.as_json())
    answer.json.object().text("library", wanted).text("path", target->path);
  else
    answer.name(wanted), answer.say(" => ", target->path).put('\n');
  tell_needs(answer, *target);
  tell_chain(answer, *target);
  tell_search(answer, log);
  tell_uses(answer, *target);
  if (answer.as_json()) answer.json.close();
  return kAnswered;
}

void print_init_order(Answer& answer, const Array<Module*>& sorted, const Module* first) {
  if (answer.as_json()) answer.json.array("order");
  if (first != nullptr) print_functions(answer, *first);
  for (size_t i = sorted.size(); i-- > 0;)
    if (sorted[i] != first && !sorted[i]->init_called) print_functions(answer, *sorted[i]);
  if (answer.as_json()) answer.json.close();
}

int list_init_order(Answer& answer) {
  if (answer.as_json())
    answer.json.object();
  else
    answer.out.put("Initialisers run in this order, finalisers in the opposite one:\n");
  print_init_order(answer, answer.linker.program->sorted, answer.linker.init_first);
  if (answer.as_json()) answer.json.close();
  return kAnswered;
}

}  // namespace prelude::explain
