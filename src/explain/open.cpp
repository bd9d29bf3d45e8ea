// --simulate-dlopen LIB: what a dlopen of it from the program would load, bind and initialise.
// Everything of a real one is done but for relocations and initialisers.
#include <prelude/base/string.h>
#include <prelude/report/messages.h>

#include "answers.h"

namespace prelude::explain {
namespace {

class Opening {
 public:
  explicit Opening(Answer& answer)
      : answer_(answer),
        linker_(answer.linker),
        json_(answer.json),
        file_(answer.options.question_argument) {}

  int run() {
    if (answer_.as_json()) json_.object().text("file", file_);
    // As if the program ran: what it has is committed and initialised.
    for (Module* module = answer_.first(); module != nullptr; module = module->next)
      module->in_new_batch = false;
    linker_.init_first = nullptr;
    batch_.space = &linker_.base_space;
    batch_.mode = kOpenLazy;
    linker_.batch = &batch_;
    const auto loaded = load_object(linker_, batch_,
                                    {.name = file_,
                                     .requester = linker_.program,
                                     .kind = ModuleKind::kOpened,
                                     .by_dlopen = true});
    if (!loaded) return fail(loaded.error());
    Module& root = **loaded;
    batch_.root = &root;
    if (!root.in_new_batch) return there_already(root);
    Module* roots[] = {&root};
    if (const auto status = load_closure(linker_, batch_, roots, 1); !status)
      return fail(status.error());
    if (!give_scopes(linker_, batch_)) return fail({.code = Errc::kOutOfMemory, .object = file_});
    tell_loaded();
    tell_versions();
    tell_bindings();
    if (!answer_.as_json()) answer_.out.put("would initialise in this order:\n");
    print_new_order(root);
    if (answer_.as_json()) json_.boolean("works", problems_ == 0).close();
    return problems_ == 0 ? kAnswered : kFailed;
  }

 private:
  int fail(const Error& error) {
    char text[1024];
    Writer words(text, sizeof text);
    report::write_dl_error(words, error);
    if (answer_.as_json())
      json_.text("error", words.c_str()).boolean("works", false).close();
    else
      answer_.say("would fail: ", words.c_str()).put('\n');
    return kFailed;
  }

  int there_already(const Module& root) {
    if (answer_.as_json())
      json_.text("loaded_as", root.path).array("loads").close().boolean("works", true).close();
    else
      answer_.say("would load nothing: it is there as ", root.path).put('\n');
    return kAnswered;
  }

  void tell_loaded() {
    if (answer_.as_json()) json_.array("loads");
    for (const Module* module : batch_.modules) {
      const char* user = module->loader != nullptr ? module->loader->path : nullptr;
      if (answer_.as_json()) {
        json_.object().text("object", module->path).text("needed_by", user).close();
        continue;
      }
      answer_.say("would load ", module->path);
      if (user != nullptr) answer_.say(", needed by ", user);
      answer_.out.put('\n');
    }
    if (answer_.as_json()) json_.close();
  }

  void tell_versions() {
    if (answer_.as_json()) json_.array("missing_versions");
    problems_ +=
        check_versions(linker_, batch_.modules.data(), batch_.modules.size(), on_version, this);
    if (answer_.as_json()) json_.close();
  }

  static void on_version(void* context, const Error& error, bool weak) {
    auto& self = *static_cast<Opening*>(context);
    if (weak) return;
    if (self.answer_.as_json()) {
      self.json_.object().text("file", error.object).text("version", error.subject);
      self.json_.text("required_by", error.context).close();
      return;
    }
    self.answer_.say("missing version ", error.subject);
    self.answer_.say(" of ", error.object);
    self.answer_.say(", required by ", error.context).put('\n');
  }

  void tell_bindings() {
    if (answer_.as_json()) json_.array("undefined");
    for (Module* module : batch_.modules)
      for_each_binding(linker_, *module, true, on_binding, this);
    if (answer_.as_json())
      json_.close().number("bindings", bound_).number("to_loaded_objects", outside_);
    else
      answer_.out.put("would bind ")
          .decimal(bound_)
          .put(" references, ")
          .decimal(outside_)
          .put(" of them to objects that are loaded already\n");
  }

  static bool on_binding(void* context, const Binding& binding) {
    auto& self = *static_cast<Opening*>(context);
    if (binding.found) {
      const bool somewhere = binding.found->symbol != nullptr;
      if (somewhere) ++self.bound_;
      if (somewhere && !binding.found->module->in_new_batch) ++self.outside_;
      return true;
    }
    // A call would only fail when it is made.
    const bool fatal = binding.use != Use::kCall || binding.user.bind_now;
    if (fatal) ++self.problems_;
    const char* name = binding.user.image.string(binding.reference.name);
    if (self.answer_.as_json()) {
      self.json_.object().text("symbol", name).text("object", binding.user.path);
      self.json_.boolean("at_first_call", !fatal).close();
      return true;
    }
    self.answer_.say("undefined: ", name);
    self.answer_.say(" in ", binding.user.path).put(fatal ? "\n" : ", at its first call\n");
    return true;
  }

  void print_new_order(const Module& root) {
    Array<Module*> fresh;
    for (Module* module : root.sorted)
      if (module->in_new_batch) (void)fresh.push(linker_.heap, module);
    const Module* first = linker_.init_first;
    print_init_order(answer_, fresh, first != nullptr && first->in_new_batch ? first : nullptr);
  }

  Answer& answer_;
  Linker& linker_;
  report::Json& json_;
  const char* file_;
  Batch batch_;
  uint64_t bound_ = 0, outside_ = 0, problems_ = 0;
};

}  // namespace

int simulate_open(Answer& answer) { return Opening(answer).run(); }

}  // namespace prelude::explain
