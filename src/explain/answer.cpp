// Which answer, and the small things that all answers need.
#include <prelude/base/string.h>

#include "answers.h"

namespace prelude::explain {
namespace {

bool same_library(const char* name, const char* wanted) {
  return equal(name, wanted) || equal(name, base_name(wanted));
}

int answer_question(Answer& answer, const SearchLog& log) {
  switch (answer.options.question) {
    case Question::kSymbol:
      return explain_symbol(answer);
    case Question::kLibrary:
      return explain_library(answer, log);
    case Question::kGraph:
      return draw_graph(answer);
    case Question::kCollisions:
      return list_collisions(answer);
    case Question::kStatistics:
      return count_everything(answer);
    case Question::kInitOrder:
      return list_init_order(answer);
    case Question::kOpen:
      return simulate_open(answer);
    case Question::kDifference:
      return hand_over_plan(answer);
    case Question::kCaches:
      return tell_caches(answer, log);
    case Question::kNone:
      break;
  }
  return kAnswered;
}

}  // namespace

Writer& Answer::name(const char* text) const {
  return out.escaped(text != nullptr ? std::string_view(text, string_length(text)) : "?");
}

const char* version_of(const Linker& linker, const Module& module, const elf::Symbol& symbol) {
  const Image& image = module.image;
  if (image.versym == nullptr) return nullptr;
  const auto index = static_cast<size_t>(&symbol - image.symbols);
  const VersionId id = module.symbols.versions.id(image.versym[index] & 0x7fff);
  return id != 0 ? linker.version_names.name(id) : nullptr;
}

bool exported(const Module& module, const elf::Symbol& symbol) {
  const uint8_t visibility = symbol.visibility();
  return symbol.shndx != elf::kShnUndef && symbol.binding() != elf::kStbLocal &&
         visibility != elf::kStvHidden && visibility != elf::kStvInternal &&
         module.image.string(symbol.name) != nullptr;
}

const char* type_word(const elf::Symbol& symbol) {
  constexpr uint8_t kObject = 1, kFunction = 2, kCommon = 5;
  switch (symbol.type()) {
    case kFunction:
      return "function";
    case kObject:
    case kCommon:
      return "object";
    case elf::kSttTls:
      return "thread-local";
    case elf::kSttGnuIfunc:
      return "indirect function";
    default:
      return "symbol";
  }
}

const char* binding_word(const elf::Symbol& symbol) {
  return symbol.binding() == elf::kStbWeak        ? "weak"
         : symbol.binding() == elf::kStbGnuUnique ? "unique"
         : symbol.binding() == elf::kStbLocal     ? "local"
                                                  : "global";
}

Module* module_called(const Linker& linker, const char* wanted) {
  Module* by_base = nullptr;
  for (Module* module = linker.base_space.first; module != nullptr; module = module->next) {
    if (has_name(*module, wanted) || equal(module->path, wanted)) return module;
    if (by_base == nullptr && equal(base_name(module->path), wanted)) by_base = module;
  }
  return by_base;
}

bool needs_directly(const Module& module, const Module& target, const char*& name) {
  bool known = false;
  for (const Module* needed : module.needed) known = known || needed == &target;
  if (!known) return false;
  name = nullptr;
  for (uint32_t i = 0; i < module.image.dynamic_count && name == nullptr; ++i) {
    const elf::Dynamic& entry = module.image.dynamic[i];
    const bool names = entry.tag == elf::kDtNeeded || entry.tag == elf::kDtAuxiliary ||
                       entry.tag == elf::kDtFilter;
    const char* text = names ? module.image.string(entry.value) : nullptr;
    if (text != nullptr && (has_name(target, text) || contains(text, '$'))) name = text;
  }
  return true;
}

void SearchLog::listen(Linker& linker) {
  linker_ = &linker;
  (void)linker.tracer.listen(bit(Topic::kLibs), on_event, this);
}

void SearchLog::on_event(void* context, const Event& event) {
  static_cast<SearchLog*>(context)->note(event);
}

void SearchLog::note(const Event& event) {
  const char* wanted = linker_->options->question_argument;
  const bool begins = event.kind == EventKind::kSearchBegin;
  if (begins) active_ = wanted == nullptr || (!done_ && same_library(event.name, wanted));
  if (!active_) return;
  if (event.kind == EventKind::kSearchEnd) {
    active_ = false;
    done_ = true;  // a later search for the same name would be another object's
    return;
  }
  const char* text = begins || event.kind == EventKind::kSearchPath ? event.name : event.file;
  if (text == nullptr || (begins && wanted != nullptr)) return;
  Heap& heap = linker_->heap;
  const char* detail = event.detail;
  (void)steps_.push(
      heap, {event.kind, heap.copy_string(text, string_length(text)),
             detail != nullptr ? heap.copy_string(detail, string_length(detail)) : nullptr});
}

[[noreturn]] void answer(Linker& linker, const SearchLog& log) {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, sys::to_stdout);
  linker.tracer.silence();  // looking things up again is no part of a trace
  Answer to{linker, *linker.options, out, report::Json(out)};
  const int status = answer_question(to, log);
  out.flush();
  sys::exit_group(status);
}

}  // namespace prelude::explain
