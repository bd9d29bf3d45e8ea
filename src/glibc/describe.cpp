// Facts of a release from the same tables that a start uses; here without a libc that runs.
#include <prelude/glibc/describe.h>

#include <prelude/base/string.h>
#include <prelude/report/diagnostics.h>
#include <prelude/sys/sys.h>
#include <prelude/versions/versions.h>

#include <new>

#include "machine.h"
#include "tunables.h"

namespace prelude::glibc {

// The highest GLIBC_2.N it defines.
int release_of(const Image& libc) {
  int highest = -1;
  for_each_version_def(
      libc,
      [](void* context, const char* name, uint32_t, uint16_t) {
        constexpr std::string_view kPrefix = "GLIBC_2.";
        const std::string_view text(name);
        if (!text.starts_with(kPrefix)) return true;
        int minor = 0;
        for (size_t i = kPrefix.size();
             i < text.size() && text[i] >= '0' && text[i] <= '9' && minor < 10000; ++i)
          minor = minor * 10 + (text[i] - '0');
        int& best = *static_cast<int*>(context);
        if (minor > best) best = minor;
        return true;
      },
      &highest);
  return highest;
}

void say_warnings(const Tunables& tunables) {
  char buffer[512];
  Writer out(buffer, sizeof buffer, sys::to_stderr);
  for (size_t i = 0; i < tunables.warning_count(); ++i) tunables.print_warning(i, out);
  out.flush();
}

namespace {

const Layout* layout_for(const Image* libc) {
  const Layout* layout = libc != nullptr ? find_layout(release_of(*libc)) : nullptr;
  return layout != nullptr ? layout : layouts();
}

class ReleaseFacts final : public Description {
 public:
  constexpr ReleaseFacts() = default;

  void fill(const Layout& layout, char** envp, bool secure, const arch::CpuFacts& cpu,
            const HardwareWords& kernel) {
    layout_ = &layout;
    processor_.cpu = cpu;
    Writer text(release_, sizeof release_);
    text.put("2.").decimal(static_cast<uint64_t>(layout.minor));
    (void)text.c_str();
    tunables_.start(layout, envp, secure);
    say_warnings(tunables_);
    if (layout.cpu_features.size <= sizeof processor_.features)
      summary_ = describe_processor(layout, kernel, tunables_, processor_);
  }

  [[nodiscard]] const char* release() const override { return release_; }
  [[nodiscard]] uint64_t hwcap() const override { return summary_.hwcap; }
  [[nodiscard]] bool newer_diagnostics() const override { return layout_->minor >= 41; }
  [[nodiscard]] const char* platform() const override { return summary_.platform; }

  void write_tunables(Writer& out) const override {
    tunables_.list(out, summary_.tunables, summary_.tunable_count);
  }
  void write_machine(Writer& out, Heap& heap) const override {
    write_processor_lines(*layout_, processor_, out, heap);
  }

 private:
  const Layout* layout_ = nullptr;
  DescribedProcessor processor_;
  Tunables tunables_;
  CpuSummary summary_;
  char release_[16] = {};
};

// Made when somebody asks: among the data of every start-up it would cost a page (ld.so.lds).
[[gnu::section(".bss.rare")]] alignas(ReleaseFacts) constinit std::byte
    facts_room[sizeof(ReleaseFacts)] = {};

}  // namespace

Manners manners_of(const Image* libc) {
  const Layout& layout = *layout_for(libc);
  const Behaviour& b = layout.behaviour;
  return {.lists_loader = b.lists_loader,
          .labels_rseq = b.labels_rseq,
          .resolves_origin = b.resolves_origin,
          .prefixes_hwcap = b.prefixes_hwcap,
          .asks_getrandom = present(layout.rtld_global_ro.dl_vdso_getrandom),
          .scopeless_callers = b.scopeless_callers,
          .takes_words_back = b.takes_words_back,
          .tells_all_tls = b.tells_all_tls};
}

const Description& describe(const Image* libc, char** envp, bool secure, const arch::CpuFacts& cpu,
                            uint64_t hwcap, uint64_t hwcap2) {
  auto* facts = new (facts_room) ReleaseFacts;
  facts->fill(*layout_for(libc), envp, secure, cpu, {hwcap, hwcap2});
  return *facts;
}

}  // namespace prelude::glibc
