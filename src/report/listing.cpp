#include <prelude/report/listing.h>

#include "names.h"

namespace prelude::report {
namespace {

Writer& put_address(Writer& out, uint64_t address) { return out.put("0x").hex(address, 16); }

}  // namespace

void write_listed(Writer& out, const ListedObject& object) {
  put_name(out.put("\t"), object.name);
  if (!object.found) {
    out.put(" => not found\n");
    return;
  }
  const bool has_name = present(object.name);
  if (present(object.path) && !(has_name && equal(object.name, object.path)))
    put_name(out.put(has_name ? " => " : ""), object.path);
  put_address(out.put(" ("), object.address).put(")\n");
}

void write_statically_linked(Writer& out) { out.put("\tstatically linked\n"); }

void write_versions_header(Writer& out) { out.put("\n\tVersion information:\n"); }

void write_versions_object(Writer& out, const char* path) {
  put_name(out.put("\t"), path).put(":\n");
}

void write_needed_version(Writer& out, const NeededVersion& needed) {
  put_name(out.put("\t\t"), needed.file);
  put_name(out.put(" ("), needed.version).put(needed.weak ? ") [WEAK] => " : ") => ");
  if (needed.path == nullptr)
    out.put("not found");
  else
    put_name(out, needed.path);
  out.put("\n");
}

void write_undefined(Writer& out, const char* symbol, const char* version, const char* object) {
  put_name(out.put("undefined symbol: "), symbol);
  if (present(version)) put_name(out.put(", version "), version);
  put_name(out.put("\t("), object).put(")\n");
}

void write_unused_header(Writer& out) { out.put("Unused direct dependencies:\n"); }

void write_unused(Writer& out, const char* path) { put_name(out.put("\t"), path).put("\n"); }

void write_symbol_found(Writer& out, const char* name, uint64_t value, uint64_t object_base) {
  // Compat: the reference prints decimal digits behind 0x here.
  put_address(put_name(out, name).put(" found at "), value).put(" in object at ");
  put_address(out, object_base).put("\n");
}

}  // namespace prelude::report
