// What a C library expects of the loader, as questions the core asks at named moments. The core
// knows no libc: without one the null personality answers. Implementations live in their own module
// (glibc/).
#pragma once

#include <prelude/base/result.h>
#include <prelude/link/auditor.h>

#include <cstddef>
#include <cstdint>

namespace prelude {

struct Linker;
struct Module;
struct Namespace;
struct Batch;

class Personality {
 public:
  /// The kernel's vdso is known, nothing else but the program is.
  virtual void vdso_adopted(Linker& linker) { (void)linker; }
  /// All start-up objects are mapped, nothing is placed or relocated yet. May refuse the process.
  virtual Status recognise(Linker& linker) {
    (void)linker;
    return Status(Done{});
  }
  /// A module is complete but for its scopes: fill the libc's view of it.
  virtual void module_ready(Linker& linker, Module& module) {
    (void)linker;
    (void)module;
  }
  /// Scopes, names or TLS placement of a module have changed.
  virtual void module_changed(Linker& linker, Module& module) {
    (void)linker;
    (void)module;
  }
  /// Namespace lists, counters or search lists have changed.
  virtual void space_changed(Linker& linker, Namespace& space) {
    (void)linker;
    (void)space;
  }
  /// Reserves what the libc wants in the static TLS area, after the modules' blocks.
  virtual void reserve_tls(Linker& linker) { (void)linker; }
  /// Bytes of static TLS kept for objects that come later.
  virtual uint64_t tls_surplus(Linker& linker) {
    (void)linker;
    return 1664;
  }
  /// Bytes from the thread pointer upwards that belong to the thread control block.
  virtual uint64_t thread_block_bytes(Linker& linker) {
    (void)linker;
    return 704;
  }
  /// Fills the first thread's control block; the thread pointer is set afterwards by the caller.
  virtual void prepare_thread(Linker& linker, char* block) {
    (void)linker;
    (void)block;
  }
  /// The thread pointer is set.
  virtual void thread_started(Linker& linker, char* block) {
    (void)linker;
    (void)block;
  }
  /// All start-up objects are relocated; the first thread's TLS images are filled.
  virtual Status relocated(Linker& linker) {
    (void)linker;
    return Status(Done{});
  }
  /// A batch opened later is mapped, nothing of it is relocated. May refuse it.
  virtual Status batch_loaded(Linker& linker, Batch& batch) {
    (void)linker;
    (void)batch;
    return Status(Done{});
  }
  /// A batch opened later is relocated, its initialisers have not run.
  virtual Status batch_relocated(Linker& linker, Batch& batch) {
    (void)linker;
    (void)batch;
    return Status(Done{});
  }
  /// Auditors will be loaded now, before the program's libraries.
  virtual void expect_auditors(Linker& linker) { (void)linker; }
  /// Asked at each of the moments in question: the libc may be known late.
  virtual AuditRules audit_rules() { return {}; }
  /// True when the program's own initialisers are run by the libc's start code.
  virtual bool libc_initialises_program() { return false; }
  /// May the object that asks for an executable stack have one?
  virtual Status executable_stack(Linker& linker) {
    (void)linker;
    return Status(Done{});
  }
  /// The lock of the namespaces' lists against readers in the libc.
  virtual void lock_lists(Linker& linker) { (void)linker; }
  virtual void unlock_lists(Linker& linker) { (void)linker; }
  /// The lock of TLS bookkeeping against other threads.
  virtual void lock_tls(Linker& linker) { (void)linker; }
  virtual void unlock_tls(Linker& linker) { (void)linker; }
  /// The libc is about to start a thread.
  virtual void thread_created(Linker& linker) { (void)linker; }
  /// The lock of the linker's own data (link/linker.h: Change). A fork waits for the end of a
  /// change, so a child finds nothing half done. Nests.
  virtual void begin_change(Linker& linker) { (void)linker; }
  virtual void end_change(Linker& linker) { (void)linker; }
  /// Begins a change only if no other thread is in one.
  [[nodiscard]] virtual bool try_change(Linker& linker) {
    (void)linker;
    return true;
  }
  /// Destructors of thread-local objects that pin the module.
  virtual bool pinned(Module& module) {
    (void)module;
    return false;
  }

 protected:
  ~Personality() = default;
};

}  // namespace prelude
