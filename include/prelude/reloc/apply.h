// The relocation loop of one object. What a symbol binds to is asked of a Binder, so the same loop
// serves live lookups, recorded plans and tests. The machine is a parameter, so that tests can
// apply the relocations of each; arithmetic and bounds stand here (psABI x86-64 4.4.1, "ELF for the
// Arm 64-bit Architecture", RISC-V ELF psABI, psABI i386 "Relocation Types"). Values are computed
// with 64 bits; a word of a machine of 32 bits gets the lower half.
#pragma once

#include <arch/native.h>

#include <prelude/base/string.h>
#include <prelude/image/image.h>
#include <prelude/reloc/use.h>

#include <cstdint>

namespace prelude {

/// What a symbol reference resolved to.
struct Bound {
  uint64_t value = 0;               ///< address; for TLS symbols the offset in the module's block
  uint64_t size = 0;                ///< st_size of the definition
  struct Module* module = nullptr;  ///< null: undefined weak, or an absolute value without owner
  bool undefined = false;           ///< weak reference without definition
  bool resolver = false;  ///< value is the address of an IFUNC resolver still to be called
};

/// Text relocations reach code and constants; what the linker's own tables hold (GOT, copies, TLS
/// descriptors) is writable in every file.
enum class Place : uint8_t { kAny, kData };

/// Where relocations may write, checked per entry by one compare in the common case.
template <typename Elf>
class BasicWriteWindow {
 public:
  BasicWriteWindow(const BasicImage<Elf>& image, bool text_writable)
      : image_(image), any_segment_(text_writable) {
    if (image.metadata_count != 0) return;
    for (uint32_t i = 0; i < image.segment_count; ++i) {
      const LoadSegment& s = image.segments[i];
      if ((s.flags & elf::kPfW) == 0 || s.memsz < size_) continue;
      start_ = s.vaddr;
      size_ = s.memsz;
    }
  }
  [[nodiscard]] bool holds(uint64_t vaddr, uint64_t bytes, Place place = Place::kAny) const {
    return holds_surely(vaddr, bytes) || holds_slowly(vaddr, bytes, place);
  }
  /// True only inside the largest writable segment of an object whose tables are out of reach.
  [[nodiscard]] bool holds_surely(uint64_t vaddr, uint64_t bytes) const {
    const uint64_t at = vaddr - start_;
    return at < size_ && bytes <= size_ - at;
  }
  /// Words that start at first() + [0, room_for_words()) are held surely.
  [[nodiscard]] uint64_t first() const { return start_; }
  [[nodiscard]] uint64_t room_for_words() const { return size_ < kWord ? 0 : size_ - (kWord - 1); }

 private:
  [[nodiscard]] bool holds_slowly(uint64_t vaddr, uint64_t bytes, Place place) const {
    const LoadSegment* s = image_.memory_segment(vaddr, bytes);
    const bool any = any_segment_ && place == Place::kAny;
    if (s == nullptr || (!any && (s->flags & elf::kPfW) == 0)) return false;
    for (uint32_t i = 0; i < image_.metadata_count; ++i)
      if (vaddr < image_.metadata[i].high && vaddr + bytes > image_.metadata[i].low) return false;
    return true;
  }

  static constexpr uint64_t kWord = sizeof(typename Elf::Word);

  const BasicImage<Elf>& image_;
  uint64_t start_ = 0, size_ = 0;
  bool any_segment_;
};
using WriteWindow = BasicWriteWindow<elf::Native>;

struct RelocCounts {
  uint64_t relative = 0, symbolic = 0;
};

/// One pass over an object's relocations. Binder supplies:
///   const Bound* bind(uint32_t symbol, Use use)  valid until the next call; null = error recorded
///   bool call_resolver(uint64_t address, uint64_t& result)
///   bool defer(uint64_t slot, int64_t addend, const Bound&, ResultForm)  IFUNC result stored later
///   bool store_result(uint64_t slot, uint64_t value)  an IFUNC result of this object
///   bool copy(void* to, uint32_t symbol, const Bound&)
///   bool tls_module(const Bound&, uint64_t& id), tls_offset(const Bound&, int64_t& from_tp)
///   bool tls_descriptor(Word* slot, const Bound&, int64_t addend)
///   bool overflow(uint32_t symbol, const char* type)
///   bool lazy(Word* slot)           true = the PLT slot was prepared for lazy binding
///   bool fail(Error)                records, returns false
template <typename Binder, arch::Machine Machine = arch::Native>
class Relocator {
 public:
  /// The class of the machine's files.
  using Elf = std::conditional_t<Machine::kElfClass == elf::Elf64::kClass, elf::Elf64, elf::Elf32>;
  static_assert(Machine::kUsesRela == Elf::kHasAddends);

  Relocator(const BasicImage<Elf>& image, const BasicWriteWindow<Elf>& window, Binder& binder)
      : image_(image), window_(window), binder_(binder) {}

  /// Everything but the indirect entries.
  [[nodiscard]] bool run_plain(bool lazy) {
    return packed_relative() && relative() &&
           table(image_.relocations + done_, image_.relocation_count - done_, false) && plt(lazy);
  }
  /// Indirect entries: their resolvers may use all that run_plain has set up.
  [[nodiscard]] bool run_indirect() {
    return indirect(image_.relocations, image_.relocation_count) &&
           indirect(image_.plt_relocations, image_.plt_relocation_count);
  }
  [[nodiscard]] const RelocCounts& counts() const { return counts_; }

 private:
  using Kind = arch::RelocKind;
  using Entry = typename Elf::Relocation;
  using PlainWord = typename Elf::Word;
  static constexpr uint64_t kWord = sizeof(PlainWord);
  static constexpr uint64_t kPackedWords = kWord * 8 - 1;  // that one bitmap of DT_RELR stands for

  // Packed structures have pointers at odd addresses.
  using Word [[gnu::aligned(1), gnu::may_alias]] = PlainWord;

  [[nodiscard]] Word* slot(uint64_t vaddr) const {
    return static_cast<Word*>(image_.address(vaddr));
  }
  [[nodiscard]] PlainWord* aligned_slot(uint64_t vaddr) const {
    return static_cast<PlainWord*>(image_.address(vaddr));
  }
  static bool aligned(uint64_t vaddr) { return vaddr % kWord == 0; }

  static PlainWord low(uint64_t value) { return static_cast<PlainWord>(value); }

  // Where entries have no addends, the addend is what lies in the word, which may be read by then.
  [[nodiscard]] int64_t addend_of(const Entry& rela) const {
    if constexpr (Elf::kHasAddends)
      return rela.addend;
    else
      return static_cast<std::make_signed_t<PlainWord>>(*slot(rela.offset));
  }

  [[nodiscard, gnu::cold, gnu::noinline]] bool outside(uint64_t vaddr) {
    return binder_.fail({.code = Errc::kBadField,
                         .subject = "r_offset",
                         .context = "an address in a writable segment",
                         .value = vaddr});
  }

  // DT_RELR (gABI proposal "Relative relocation packing"): an even word is an address, an odd word
  // a bitmap of the words that follow, one less than it has bits.
  [[nodiscard]] bool packed_relative() {
    uint64_t next = 0;
    bool have_address = false;
    for (uint64_t i = 0; i < image_.relr_count; ++i) {
      const uint64_t word = image_.relr[i];
      if ((word & 1) == 0) {
        if (!add_bias(word)) return false;
        next = word + kWord;
        have_address = true;
        continue;
      }
      if (!have_address)
        return binder_.fail({.code = Errc::kBadField,
                             .subject = "DT_RELR first entry",
                             .context = "an address before any bitmap",
                             .value = word});
      if (!add_bias_to(next, word >> 1)) return false;
      next += kPackedWords * kWord;
    }
    return true;
  }
  // The words that a bitmap marks, counted from vaddr.
  [[nodiscard]] bool add_bias_to(uint64_t vaddr, uint64_t bits) {
    if (!window_.holds_surely(vaddr, kPackedWords * kWord)) [[unlikely]] {
      for (; bits != 0; bits >>= 1, vaddr += kWord)
        if ((bits & 1) != 0 && !add_bias(vaddr)) return false;
      return true;
    }
    Word* const words = slot(vaddr);
    const PlainWord bias = low(image_.bias);
    uint64_t marked = 0;
    for (; bits != 0; bits &= bits - 1, ++marked) words[__builtin_ctzll(bits)] += bias;
    counts_.relative += marked;
    return true;
  }
  [[nodiscard]] bool add_bias(uint64_t vaddr) {
    if (!window_.holds(vaddr, kWord)) [[unlikely]]
      return outside(vaddr);
    *slot(vaddr) += low(image_.bias);
    ++counts_.relative;
    return true;
  }

  // The run of relative entries that DT_RELACOUNT promises. glibc 2.36 asserts that it holds
  // nothing else, but passes it over where there is nothing to add.
  [[nodiscard]] bool relative() {
    const Entry* entry = image_.relocations;
    const Entry* const end = entry + image_.relative_count;
    const uint64_t bias = image_.bias, first = window_.first(), room = window_.room_for_words();
    for (; entry != end; ++entry) {
      const uint32_t type = entry->type();
      if (type != Machine::kRelativeType && Machine::kind_of(type) != Kind::kRelative) break;
      __builtin_prefetch(entry + 16);
      if (entry->offset - first >= room && !window_.holds(entry->offset, kWord)) [[unlikely]]
        return outside(entry->offset);
      put_relative(bias, *entry);
    }
    done_ = static_cast<uint64_t>(entry - image_.relocations);
    counts_.relative += done_;
    return entry == end || bias == 0 ||
           binder_.fail({.code = Errc::kBadField,
                         .subject = Elf::kHasAddends ? "DT_RELACOUNT" : "DT_RELCOUNT",
                         .context = "a number of relative relocations before all others",
                         .value = image_.relative_count});
  }

  [[gnu::always_inline]] static void put_relative(uint64_t bias, const Entry& rela) {
    auto* const at = reinterpret_cast<Word*>(static_cast<uintptr_t>(bias + rela.offset));
    if constexpr (Elf::kHasAddends)
      *at = bias + static_cast<uint64_t>(rela.addend);
    else
      *at += low(bias);
  }

  [[nodiscard]] bool table(const Entry* entries, uint64_t count, bool plt_table) {
    const typename Elf::Symbol* symbols = image_.symbols;
    for (uint64_t i = 0; i < count; ++i) {
      // Two steps ahead of the lookup: the symbol, then its name.
      if (i + 8 < count && entries[i + 8].symbol() < image_.symbol_limit)
        __builtin_prefetch(symbols + entries[i + 8].symbol());
      if (i + 4 < count && entries[i + 4].symbol() < image_.symbol_limit)
        __builtin_prefetch(image_.strings + symbols[entries[i + 4].symbol()].name);
      if (!entry(entries[i], plt_table)) return false;
    }
    return true;
  }

  [[nodiscard]] bool plt(bool lazy) {
    if (!lazy) return table(image_.plt_relocations, image_.plt_relocation_count, true);
    for (uint64_t i = 0; i < image_.plt_relocation_count; ++i) {
      const Entry& rela = image_.plt_relocations[i];
      const Kind kind = Machine::kind_of(rela.type());
      if (kind == Kind::kJumpSlot) {
        if (!window_.holds(rela.offset, kWord, Place::kData)) return outside(rela.offset);
        if (may_wait(rela) && binder_.lazy(aligned_slot(rela.offset))) continue;
      } else if (kind != Kind::kTlsDescriptor && kind != Kind::kIndirect) {
        // An entry that fills nothing leaves a call into nowhere; linkers make such of symbols told
        // to ignore.
        return binder_.fail({.code = Errc::kUnknownPltRelocation, .value = rela.type()});
      }
      if (!entry(rela, true)) return false;
    }
    return true;
  }

  // The stub of lazy binding keeps the registers of ordinary calls.
  [[nodiscard]] bool may_wait(const Entry& rela) const {
    return rela.symbol() < image_.symbol_limit && aligned(rela.offset) &&
           !Machine::binds_at_once(image_.symbols[rela.symbol()].other);
  }

  [[nodiscard]] bool indirect(const Entry* entries, uint64_t count) {
    if (!saw_indirect_) return true;
    for (uint64_t i = 0; i < count; ++i) {
      const Entry& rela = entries[i];
      if (Machine::kind_of(rela.type()) != Kind::kIndirect) continue;
      const bool writable = window_.holds_surely(rela.offset, kWord);
      if (!writable && !window_.holds(rela.offset, kWord)) return outside(rela.offset);
      uint64_t result = 0;
      const uint64_t resolver = low(static_cast<uint64_t>(addend_of(rela)));
      if (!image_.executable(resolver))
        return binder_.fail({.code = Errc::kBadField,
                             .subject = "IFUNC resolver",
                             .context = "an address in an executable segment",
                             .value = resolver});
      if (!binder_.call_resolver(image_.bias + resolver, result)) return false;
      if (writable)
        *slot(rela.offset) = low(result);
      else if (!binder_.store_result(rela.offset, result))
        return false;
    }
    return true;
  }

  // Nearly all entries fill one word of the data with the address of a symbol.
  [[nodiscard]] bool entry(const Entry& rela, bool plt_table) {
    const Kind kind = Machine::kind_of(rela.type());
    if (!fills_word(kind) || rela.symbol() >= image_.symbol_limit ||
        rela.offset - window_.first() >= window_.room_for_words()) [[unlikely]]
      return odd_entry(rela, kind, plt_table);
    ++counts_.symbolic;
    const Bound* bound = binder_.bind(rela.symbol(), use_of(kind));
    return bound != nullptr && store_word(rela, kind, *bound);
  }

  [[nodiscard]] bool store_word(const Entry& rela, Kind kind, const Bound& bound) {
    const bool adds = Machine::kAddsToSlots || kind == Kind::kAbsolute;
    const int64_t addend = adds ? addend_of(rela) : 0;
    if (bound.resolver) [[unlikely]]
      return binder_.defer(rela.offset, addend, bound, ResultForm::kWord);
    *slot(rela.offset) = low(bound.value + static_cast<uint64_t>(addend));
    return true;
  }

  [[nodiscard, gnu::noinline]] bool odd_entry(const Entry& rela, Kind kind, bool plt_table) {
    if (kind == Kind::kRelative) {
      if (!window_.holds(rela.offset, kWord)) return outside(rela.offset);
      put_relative(image_.bias, rela);
      ++counts_.relative;
      return true;
    }
    if (kind == Kind::kNone) return true;
    if (kind == Kind::kIndirect) {
      saw_indirect_ = true;
      return true;
    }
    if (kind == Kind::kUnknown || (plt_table && !belongs_in_plt(kind)))
      return binder_.fail(
          {.code = plt_table ? Errc::kUnknownPltRelocation : Errc::kUnknownRelocation,
           .value = rela.type()});
    if (rela.symbol() >= image_.symbol_limit && rela.symbol() != 0)
      return binder_.fail({.code = Errc::kBadField,
                           .subject = "relocation symbol index",
                           .context = "the index of a dynamic symbol",
                           .value = rela.symbol()});
    ++counts_.symbolic;
    return symbolic(rela, kind);
  }

  static bool fills_word(Kind kind) {
    return kind == Kind::kJumpSlot || kind == Kind::kGlobData || kind == Kind::kAbsolute;
  }
  // Code jumps through what the PLT's entries fill in.
  static bool belongs_in_plt(Kind kind) { return fills_word(kind) || kind == Kind::kTlsDescriptor; }
  static Place place_of(Kind kind) {
    switch (kind) {
      case Kind::kGlobData:
      case Kind::kJumpSlot:
      case Kind::kCopy:
      case Kind::kTlsModule:
      case Kind::kTlsDescriptor:
        return Place::kData;
      default:
        return Place::kAny;
    }
  }
  static uint64_t width_of(Kind kind) {
    switch (kind) {
      case Kind::kAbsolute32:
      case Kind::kPcRelative32:
      case Kind::kSize32:
        return 4;
      case Kind::kTlsDescriptor:
        return 2 * kWord;
      default:
        return kWord;
    }
  }

  [[nodiscard]] bool may_write(const Entry& rela, Kind kind) const {
    const uint64_t width =
        kind == Kind::kCopy ? image_.symbols[rela.symbol()].size : width_of(kind);
    return window_.holds(rela.offset, width, place_of(kind));
  }

  [[nodiscard]] bool symbolic(const Entry& rela, Kind kind) {
    if (!may_write(rela, kind)) return outside(rela.offset);
    const Bound* found = binder_.bind(rela.symbol(), use_of(kind));
    if (found == nullptr) return false;
    const Bound& bound = *found;
    if (fills_word(kind)) return store_word(rela, kind, bound);
    Word* const at = slot(rela.offset);
    // What is copied may be shorter than a word with an addend.
    const bool has_addend = Elf::kHasAddends || kind != Kind::kCopy;
    const int64_t addend = has_addend ? addend_of(rela) : 0;
    const uint64_t value = bound.value + static_cast<uint64_t>(addend);
    switch (kind) {
      case Kind::kAbsolute32:
        if (bound.resolver) return binder_.defer(rela.offset, addend, bound, ResultForm::kLow32);
        return narrow(at, value, value > UINT32_MAX, rela, kind);
      case Kind::kPcRelative32: {
        if (bound.resolver)
          return binder_.defer(rela.offset, addend, bound, ResultForm::kPcRelative32);
        const uint64_t distance = value - (image_.bias + rela.offset);
        const bool fits = static_cast<int64_t>(distance) == static_cast<int32_t>(distance);
        return narrow(at, distance, !fits, rela, kind);
      }
      case Kind::kCopy:
        return bound.undefined || binder_.copy(at, rela.symbol(), bound);
      case Kind::kSize:
        *at = low(bound.size + static_cast<uint64_t>(addend));
        return true;
      case Kind::kSize32: {
        const uint64_t size = bound.size + static_cast<uint64_t>(addend);
        return narrow(at, size, size > UINT32_MAX, rela, kind);
      }
      default:
        return thread_local_entry(rela, kind, at, bound);
    }
  }

  // Where addresses have 32 bits all of them can be reached from everywhere.
  [[nodiscard]] bool narrow(void* at, uint64_t value, bool overflow, const Entry& rela, Kind kind) {
    const auto lower = static_cast<uint32_t>(value);
    copy_bytes(at, &lower, sizeof lower);
    if constexpr (kWord == sizeof lower) return true;
    return !overflow || binder_.overflow(rela.symbol(), Machine::name_of(kind));
  }

  // ELF Handling for Thread-Local Storage 4.
  [[nodiscard]] bool thread_local_entry(const Entry& rela, Kind kind, Word* at,
                                        const Bound& bound) {
    if (kind == Kind::kTlsDescriptor) return descriptor(rela, bound);
    if (bound.undefined) return true;
    if (kind == Kind::kTlsModule) {
      uint64_t id = 0;
      if (!binder_.tls_module(bound, id)) return false;
      *at = low(id);
      return true;
    }
    const auto addend = static_cast<uint64_t>(addend_of(rela));
    if (kind == Kind::kTlsOffset) {
      *at = low(bound.value + addend - Machine::kTlsOffsetBias);
      return true;
    }
    int64_t from_tp = 0;
    if (!binder_.tls_offset(bound, from_tp)) return false;
    const uint64_t offset = static_cast<uint64_t>(from_tp) + bound.value;
    *at = low(kind == Kind::kTlsDistance ? addend - offset : addend + offset);
    return true;
  }

  [[nodiscard]] bool descriptor(const Entry& rela, const Bound& bound) {
    if (!aligned(rela.offset))
      return binder_.fail({.code = Errc::kBadField,
                           .subject = "r_offset of a TLS descriptor",
                           .context = kWord == 8 ? "a multiple of 8" : "a multiple of 4",
                           .value = rela.offset});
    PlainWord* const words = aligned_slot(rela.offset);
    if constexpr (Elf::kHasAddends)
      return binder_.tls_descriptor(words, bound, rela.addend);
    else  // in the word of the argument
      return binder_.tls_descriptor(words, bound,
                                    static_cast<std::make_signed_t<PlainWord>>(words[1]));
  }

  const BasicImage<Elf>& image_;
  const BasicWriteWindow<Elf>& window_;
  Binder& binder_;
  RelocCounts counts_;
  uint64_t done_ = 0;
  bool saw_indirect_ = false;
};

}  // namespace prelude
