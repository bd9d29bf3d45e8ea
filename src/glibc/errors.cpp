// libc's error protocol: an exception with two strings, caught by frames. Up to 2.36 the frames
// belong to libc, later to the loader, which keeps the innermost one in struct pthread.
#include "shared_state.h"

#include <arch/stubs.h>

#include <prelude/base/string.h>
#include <prelude/report/format.h>
#include <prelude/report/messages.h>

#include <cstdarg>

namespace prelude::glibc {
namespace {

struct CatchFrame {
  Raised* exception;
  int32_t* number;
  arch::Context context;
};

CatchFrame*& frame_slot() {
  return field<CatchFrame*>(thread_record(arch::thread_pointer()),
                            state().layout->pthread.rtld_catch);
}

bool frames_are_ours() {
  return state().layout != nullptr && state().layout->behaviour.catch_in_loader;
}

[[noreturn]] void die(int32_t number, const Raised& raised, const char* occasion) {
  char buffer[2048];
  Writer out(buffer, sizeof buffer, sys::to_stderr);
  out.put(the_linker->program_name)
      .put(": ")
      .put(occasion != nullptr ? occasion : "error while loading shared libraries");
  out.put(": ");
  if (raised.object != nullptr && raised.object[0] != 0) out.escaped(raised.object).put(": ");
  out.put(raised.text);
  if (number != 0) {
    out.put(": ");
    report::write_errno(out, number);
  }
  out.put('\n');
  out.flush();
  sys::exit_group(127);
}

Raised join(std::string_view object, std::string_view text) {
  void* block = state().functions.malloc != nullptr
                    ? state().functions.malloc(text.size() + object.size() + 2)
                    : nullptr;
  if (block == nullptr) return {"", "out of memory", nullptr};
  auto* copy = static_cast<char*>(block);
  char* const second = copy + text.size() + 1;
  copy_bytes(copy, text.data(), text.size());
  copy_bytes(second, object.data(), object.size());
  second[-1] = 0;
  second[object.size()] = 0;
  return {second, copy, block};
}

}  // namespace

Raised make_exception(const char* object, const char* text) {
  return join(object == nullptr ? "" : object, text);
}

Raised make_exception(const Error& error) {
  char buffer[2048];
  Writer scratch(buffer, sizeof buffer);
  const char* text = report::error_text(error, scratch);
  return join(error.object == nullptr ? "" : error.object,
              text == buffer ? scratch.text() : std::string_view(text));
}

// libc puts its words for the number behind our text, on the same line. Where more lines follow we
// must do it, in the user's language as libc does.
Raised add_lines(const Raised& raised, int32_t number, const char* lines) {
  using Translate = const char* (*)(const char* domain, const char* text, int category);
  using Describe = const char* (*)(int number);
  constexpr int kMessages = 5;  // LC_MESSAGES
  const auto translate = reinterpret_cast<Translate>(libc_symbol("dcgettext"));
  const auto describe = reinterpret_cast<Describe>(libc_symbol("strerror"));
  char room[4096];
  Writer out(room, sizeof room);
  out.put(translate != nullptr ? translate("libc", raised.text, kMessages) : raised.text);
  if (number != 0 && describe != nullptr) out.put(": ").put(describe(number));
  size_t size = string_length(lines);
  while (size != 0 && lines[size - 1] == '\n') --size;
  out.put('\n').put(std::string_view(lines, size));
  const Raised longer = make_exception(raised.object, out.c_str());
  if (raised.block != nullptr) state().functions.free(raised.block);
  return longer;
}

void raise(int32_t number, const Raised& raised, const char* occasion) {
  Raised copy = raised;
  if (!frames_are_ours()) {
    if (state().functions.signal_exception == nullptr) die(number, raised, occasion);
    state().functions.signal_exception(number, &copy, occasion);
    __builtin_unreachable();
  }
  CatchFrame* frame = frame_slot();
  if (frame == nullptr) die(number, raised, occasion);
  *frame->exception = raised;
  *frame->number = number;
  prelude_context_restore(&frame->context, pointer_key, 1);
}

namespace {

// Runs the operation with a new frame. Without `exception` errors inside are fatal.
int run_caught(Raised* exception, void (*operate)(void*), void* argument) {
  CatchFrame*& slot = frame_slot();
  CatchFrame* const outer = slot;
  if (exception == nullptr) {
    slot = nullptr;
    operate(argument);
    frame_slot() = outer;
    return 0;
  }
  int32_t number = 0;
  CatchFrame frame{exception, &number, {}};
  if (prelude_context_save(&frame.context, pointer_key) == 0) {
    slot = &frame;
    operate(argument);
    frame_slot() = outer;
    *exception = {};
    return 0;
  }
  frame_slot() = outer;
  return *const_cast<volatile int32_t*>(&number);
}

[[gnu::noinline]] int catch_own_errors(const char** object, const char** text, bool* allocated,
                                       void (*operate)(void*), void* argument) {
  Raised exception{};
  const int number = run_caught(&exception, operate, argument);
  *object = exception.object;
  *text = exception.text;
  *allocated = exception.block == exception.text && exception.block != nullptr;
  return number;
}

}  // namespace

int catch_errors(const char** object, const char** text, bool* allocated, void (*operate)(void*),
                 void* argument) {
  if (!frames_are_ours())
    return state().functions.catch_error(object, text, allocated, operate, argument);
  return catch_own_errors(object, text, allocated, operate, argument);
}

void lock_load(const Linker&) {
  if (__atomic_load_n(&the_locks.forks_waiting, __ATOMIC_RELAXED) != 0) let_forks_go_first();
  if (the_locks.forking_thread != nullptr) look_at_fork();
  if (state().functions.mutex_lock != nullptr)
    state().functions.mutex_lock(_rtld_global + state().layout->rtld_global.dl_load_lock);
}
void unlock_load(const Linker&) {
  if (state().functions.mutex_unlock != nullptr)
    state().functions.mutex_unlock(_rtld_global + state().layout->rtld_global.dl_load_lock);
}

}  // namespace prelude::glibc

// NOLINTBEGIN(readability-identifier-naming): names of the ABI
extern "C" {

using prelude::glibc::Raised;

PRELUDE_EXPORT void _dl_exception_create(Raised* out, const char* object, const char* text) {
  *out = prelude::glibc::make_exception(object, text);
}

PRELUDE_EXPORT void _dl_exception_create_format(Raised* out, const char* object, const char* format,
                                                ...) {
  char buffer[2048];
  prelude::Writer text(buffer, sizeof buffer);
  va_list arguments;
  va_start(arguments, format);
  prelude::report::format_text(text, format, arguments);
  va_end(arguments);
  *out = prelude::glibc::make_exception(object, text.c_str());
}

PRELUDE_EXPORT void _dl_exception_free(Raised* exception) {
  if (exception->block != nullptr) prelude::glibc::state().functions.free(exception->block);
  *exception = {};
}

PRELUDE_EXPORT void _dl_signal_exception(int number, Raised* exception, const char* occasion) {
  prelude::glibc::raise(number, *exception, occasion);
}

PRELUDE_EXPORT void _dl_signal_error(int number, const char* object, const char* occasion,
                                     const char* text) {
  prelude::glibc::raise(
      number,
      prelude::glibc::make_exception(object, text != nullptr ? text : "DYNAMIC LINKER BUG!!!"),
      occasion);
}

PRELUDE_EXPORT int _dl_catch_exception(Raised* exception, void (*operate)(void*), void* argument) {
  return prelude::glibc::run_caught(exception, operate, argument);
}

PRELUDE_EXPORT int _dl_catch_error(const char** object, const char** text, bool* allocated,
                                   void (*operate)(void*), void* argument) {
  return prelude::glibc::catch_errors(object, text, allocated, operate, argument);
}

PRELUDE_EXPORT void _dl_fatal_printf(const char* format, ...) {
  char buffer[1024];
  prelude::Writer out(buffer, sizeof buffer, prelude::sys::to_stderr);
  va_list arguments;
  va_start(arguments, format);
  prelude::report::format_text(out, format, arguments);
  va_end(arguments);
  out.flush();
  prelude::sys::exit_group(127);
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
