// LD_SHOW_AUXV. Numbers: kernel include/uapi/linux/auxvec.h; labels and columns as glibc prints
// them.
#include <prelude/report/help.h>

#include "names.h"

namespace prelude::report {
namespace {

enum class Form : uint8_t { kHidden, kDecimal, kHex, kBareHex, kHwcap, kText };

constexpr uint64_t kFirstLateLabel = 27, kLastLateLabel = 30;

constexpr size_t kColumn = 22;

struct Row {
  uint8_t type;
  Form form;
  char label[18];  // in place: a table of pointers would cost relocations
};
constexpr Row kRows[] = {
    {2, Form::kDecimal, "EXECFD"},
    {3, Form::kHex, "PHDR"},
    {4, Form::kDecimal, "PHENT"},
    {5, Form::kDecimal, "PHNUM"},
    {6, Form::kDecimal, "PAGESZ"},
    {7, Form::kHex, "BASE"},
    {8, Form::kHex, "FLAGS"},
    {9, Form::kHex, "ENTRY"},
    {10, Form::kBareHex, "NOTELF"},
    {11, Form::kDecimal, "UID"},
    {12, Form::kDecimal, "EUID"},
    {13, Form::kDecimal, "GID"},
    {14, Form::kDecimal, "EGID"},
    {15, Form::kText, "PLATFORM"},
    {16, Form::kHwcap, "HWCAP"},
    {17, Form::kDecimal, "CLKTCK"},
    {18, Form::kBareHex, "FPUCW"},
    {19, Form::kHex, "DCACHEBSIZE"},
    {20, Form::kHex, "ICACHEBSIZE"},
    {21, Form::kHex, "UCACHEBSIZE"},
    {22, Form::kHidden, "IGNOREPPC"},
    {23, Form::kDecimal, "SECURE"},
    {24, Form::kText, "BASE_PLATFORM"},
    {25, Form::kHex, "RANDOM"},
    {26, Form::kHex, "HWCAP2"},
    {27, Form::kDecimal, "RSEQ_FEATURE_SIZE"},
    {28, Form::kDecimal, "RSEQ_ALIGN"},
    {29, Form::kHex, "HWCAP3"},
    {30, Form::kHex, "HWCAP4"},
    {31, Form::kText, "EXECFN"},
    {32, Form::kHex, "SYSINFO"},
    {33, Form::kHex, "SYSINFO_EHDR"},
    {40, Form::kDecimal, "L1I_CACHESIZE"},
    {41, Form::kHex, "L1I_CACHEGEOMETRY"},
    {42, Form::kDecimal, "L1D_CACHESIZE"},
    {43, Form::kHex, "L1D_CACHEGEOMETRY"},
    {44, Form::kDecimal, "L2_CACHESIZE"},
    {45, Form::kHex, "L2_CACHEGEOMETRY"},
    {46, Form::kDecimal, "L3_CACHESIZE"},
    {47, Form::kHex, "L3_CACHEGEOMETRY"},
    {51, Form::kDecimal, "MINSIGSTKSZ"},
};

const Row* find_row(uint64_t type, const AuxvForm& form) {
  if (!form.labels_rseq && type >= kFirstLateLabel && type <= kLastLateLabel) return nullptr;
  for (const Row& row : kRows)
    if (row.type == type) return &row;
  return nullptr;
}

void put_known(Writer& out, const Row& row, uint64_t value, const AuxvForm& form) {
  if (row.form == Form::kHidden) return;
  const std::string_view label(row.label);
  out.put("AT_").put(label).put(":");
  for (size_t column = label.size() + 4; column < kColumn; ++column) out.put(' ');
  switch (row.form) {
    case Form::kDecimal:
      out.signed_decimal(static_cast<int64_t>(value));
      break;
    case Form::kText:
      put_name(out, reinterpret_cast<const char*>(value));
      break;
    default:
      out.put(row.form == Form::kHex || (row.form == Form::kHwcap && form.prefixes_hwcap) ? "0x"
                                                                                          : "")
          .hex(value);
      break;
  }
  out.put("\n");
}

void put_entry(Writer& out, uint64_t type, uint64_t value, const AuxvForm& form) {
  if (const Row* row = find_row(type, form); row != nullptr)
    put_known(out, *row, value, form);
  else
    out.put("AT_??? (0x").hex(type).put("): 0x").hex(value).put("\n");
}

}  // namespace

void write_auxv(Writer& out, const uintptr_t* auxv, const AuxvForm& form) {
  for (; auxv[0] != 0; auxv += 2) put_entry(out, auxv[0], auxv[1], form);
}

}  // namespace prelude::report
