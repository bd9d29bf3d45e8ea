// --diff-env VAR=VALUE: the plan of a start-up as things are, and with the variable changed; VAR
// alone stands for its absence. Each plan is made by a child of its own in a file of lines; the
// parent prints the lines that only one of them has.
#include <prelude/base/string.h>

#include "answers.h"

namespace prelude::explain {
namespace {

// Lines of a plan begin with a letter: `O` path of an object, `L` name => path, `B` binding.
constexpr char kObject = 'O', kLibrary = 'L', kBinding = 'B';

int plan_file = -1;  // in a child: where its plan goes

bool write_binding(void* context, const Binding& binding) {
  Writer& out = *static_cast<Writer*>(context);
  const char* name = binding.user.image.string(binding.reference.name);
  const Definition found = binding.found ? *binding.found : Definition{};
  if (name == nullptr || found.module == &binding.user) return true;
  out.put(kBinding).escaped(binding.user.path).put(": ").escaped(name).put(" => ");
  out.escaped(found.symbol != nullptr ? found.module->path : "nothing").put('\n');
  return true;
}

// The whole text of a plan, mapped.
struct Plan {
  const char* text = nullptr;
  size_t size = 0;
  int status = kFailed;
};

struct Line {
  std::string_view text;
  uint64_t hash;
};

// Takes the next line from `rest`. A child that was ended may have left the last one unfinished.
Line next_line(std::string_view& rest) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  size_t size = 0;
  for (; size < rest.size() && rest[size] != '\n'; ++size)
    hash = (hash ^ static_cast<uint8_t>(rest[size])) * 0x100000001b3;
  const Line line{{rest.data(), size}, hash};
  const size_t taken = size < rest.size() ? size + 1 : size;
  rest = {rest.data() + taken, rest.size() - taken};
  return line;
}

/// The lines of one plan, to be asked for.
class LineSet {
 public:
  explicit LineSet(const Plan& plan) {
    size_t lines = 0;
    for (size_t i = 0; i < plan.size; ++i) lines += plan.text[i] == '\n' ? 1 : 0;
    while (size_ < 2 * lines) size_ *= 2;
    const auto pages =
        sys::map_anonymous(nullptr, size_ * sizeof(Line), sys::kProtRead | sys::kProtWrite, false);
    if (!pages) return;
    table_ = static_cast<Line*>(*pages);
    for (std::string_view rest(plan.text, plan.size); !rest.empty();) {
      const Line line = next_line(rest);
      *place(line) = line;
    }
  }
  [[nodiscard]] bool holds(const Line& line) const {
    return table_ != nullptr && place(line)->text.data() != nullptr;
  }
  [[nodiscard]] bool ready() const { return table_ != nullptr; }

 private:
  [[nodiscard]] Line* place(const Line& line) const {
    size_t at = static_cast<size_t>(line.hash) & (size_ - 1);
    while (table_[at].text.data() != nullptr &&
           (table_[at].hash != line.hash || table_[at].text != line.text))
      at = (at + 1) & (size_ - 1);
    return &table_[at];
  }

  Line* table_ = nullptr;
  size_t size_ = 64;  // a power of two, at most half of it used
};

// What an object binds that only one of the plans has is no difference of its own.
bool user_in(const LineSet& other, const Line& binding) {
  size_t size = 1;
  while (size + 1 < binding.text.size() &&
         (binding.text[size] != ':' || binding.text[size + 1] != ' '))
    ++size;
  char copy[4096];
  Writer line(copy, sizeof copy);
  line.put(kObject).put(std::string_view(binding.text.data() + 1, size - 1)).put('\n');
  std::string_view rest = line.text();
  return other.holds(next_line(rest));
}

class Difference {
 public:
  Difference(Writer& out, bool as_json) : out_(out), json_(out), as_json_(as_json) {}

  int print(const char* variable, const Plan& now, const Plan& then) {
    const LineSet before(now), after(then);
    if (!before.ready() || !after.ready()) return kFailed;
    if (as_json_)
      json_.object()
          .text("variable", variable)
          .boolean("starts_now", now.status == 0)
          .boolean("starts_then", then.status == 0);
    if (now.status == 0 && then.status == 0) {
      section("libraries", kLibrary, now, before, then, after);
      section("bindings", kBinding, now, before, then, after);
    }
    if (as_json_) {
      json_.close();
      return kAnswered;
    }
    if (now.status != 0) out_.put("as it is the program does not start\n");
    if (then.status != 0) out_.put("with the change the program does not start\n");
    if (differences_ == 0 && now.status == then.status) out_.put("no difference\n");
    return kAnswered;
  }

 private:
  void section(const char* title, char kind, const Plan& now, const LineSet& before,
               const Plan& then, const LineSet& after) {
    if (as_json_) json_.object(title);
    titled_ = false;
    side(title, "now", "- ", kind, now, after);
    side(title, "then", "+ ", kind, then, before);
    if (as_json_) json_.close();
  }

  void side(const char* title, const char* key, const char* mark, char kind, const Plan& plan,
            const LineSet& other) {
    if (as_json_) json_.array(key);
    for (std::string_view rest(plan.text, plan.size); !rest.empty();) {
      const Line line = next_line(rest);
      if (line.text.empty() || line.text[0] != kind || other.holds(line)) continue;
      if (kind == kBinding && !user_in(other, line)) continue;
      ++differences_;
      const std::string_view text(line.text.data() + 1, line.text.size() - 1);
      if (as_json_) {
        char copy[4096];
        Writer ended(copy, sizeof copy);
        ended.put(text);
        json_.text(nullptr, ended.c_str());
        continue;
      }
      if (!titled_) out_.put(title).put('\n');
      titled_ = true;
      out_.put("  ").put(mark).put(text).put('\n');
    }
    if (as_json_) json_.close();
  }

  Writer& out_;
  report::Json json_;
  bool as_json_;
  bool titled_ = false;
  uint64_t differences_ = 0;
};

size_t name_length(const char* variable) {
  size_t size = 0;
  while (variable[size] != 0 && variable[size] != '=') ++size;
  return size;
}

bool is_called(const char* entry, const char* variable, size_t size) {
  for (size_t i = 0; i < size; ++i)
    if (entry[i] != variable[i]) return false;
  return entry[size] == '=';
}

// The environment with the variable as the question gives it, or without it.
char** changed_environment(char** envp, const char* variable) {
  const size_t size = name_length(variable);
  size_t count = 0;
  while (envp[count] != nullptr) ++count;
  const auto pages = sys::map_anonymous(nullptr, (count + 2) * sizeof(char*),
                                        sys::kProtRead | sys::kProtWrite, false);
  if (!pages) return envp;
  auto* fresh = static_cast<char**>(*pages);
  size_t used = 0;
  for (; *envp != nullptr; ++envp)
    if (!is_called(*envp, variable, size)) fresh[used++] = *envp;
  if (variable[size] == '=') fresh[used++] = const_cast<char*>(variable);
  return fresh;
}

/// True in the child. Null: the environment as it is.
bool make_plan(Process& process, const char* variable, Plan& plan) {
  const auto file = sys::create_memory_file();
  if (!file) return false;
  const auto child = sys::fork();
  if (!child) return false;
  if (*child == 0) {
    plan_file = *file;
    if (variable != nullptr) process.envp = changed_environment(process.envp, variable);
    return true;
  }
  const auto ended = sys::wait_for(*child);
  const auto status = sys::status(*file);
  if (ended) plan.status = *ended;
  if (!status || status->size == 0) return false;
  const auto mapped = sys::map_file(nullptr, status->size, sys::kProtRead, *file, 0, false);
  if (mapped)
    plan.text = static_cast<const char*>(*mapped), plan.size = static_cast<size_t>(status->size);
  return false;
}

}  // namespace

void start_difference(Process& process, const Options& options) {
  Plan now, then;
  const char* variable = options.question_argument;
  if (make_plan(process, nullptr, now) || make_plan(process, variable, then)) return;
  char buffer[4096];
  Writer out(buffer, sizeof buffer, sys::to_stdout);
  const int status = Difference(out, options.json).print(variable, now, then);
  out.flush();
  sys::exit_group(status);
}

int hand_over_plan(Answer& answer) {
  char buffer[4096];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &plan_file);
  for (Module* module = answer.first(); module != nullptr; module = module->next) {
    out.put(kObject).escaped(module->path).put('\n');
    if (module->kind != ModuleKind::kProgram) {
      const char* name = module->names != nullptr ? module->names->name : module->path;
      out.put(kLibrary).escaped(name).put(" => ").escaped(module->path).put('\n');
    }
  }
  for (Module* module = answer.first(); module != nullptr; module = module->next)
    if (module->scope != nullptr && !module->is_self && !module->is_vdso)
      for_each_binding(answer.linker, *module, true, write_binding, &out);
  out.flush();
  return kAnswered;
}

}  // namespace prelude::explain
