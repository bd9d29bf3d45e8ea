// Keys and their order: glibc 2.36, measured; left out are the legacy hwcaps and profiling, which
// do not exist here. Bytes outside ASCII come in right octal (2.36 prints wrong digits).
#include <prelude/report/diagnostics.h>

#include "names.h"

namespace prelude::report {
namespace {

// Variables whose values are shown; of all others only the name. Ended by an empty name.
constexpr char kShownVariables[] =
    "DATEMSK\0GCONV_PATH\0GETCONF_DIR\0GLIBC_TUNABLES\0GMON_OUTPUT_PREFIX\0HESIOD_CONFIG\0"
    "HES_DOMAIN\0HOSTALIASES\0I18NPATH\0IFS\0LANG\0LOCALDOMAIN\0LOCPATH\0MSGVERB\0NIS_DEFAULTS\0"
    "NIS_GROUP\0NIS_PATH\0NLSPATH\0PATH\0POSIXLY_CORRECT\0RESOLV_HOST_CONF\0RES_OPTIONS\0"
    "SEV_LEVEL\0TMPDIR\0TZ\0TZDIR\0";

bool is_shown(std::string_view name) {
  if (name.starts_with("LC_") || name.starts_with("LD_") || name.starts_with("MALLOC_"))
    return true;
  for (const char* at = kShownVariables; *at != 0; at += string_length(at) + 1)
    if (name == at) return true;
  return false;
}

Writer& put_quoted(Writer& out, std::string_view text) {
  out.put('"');
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out.put('\\').put(c);
    } else if (byte >= 0x20 && byte < 0x7f) {
      out.put(c);
    } else {
      out.put('\\');
      for (int shift = 6; shift >= 0; shift -= 3)
        out.put(static_cast<char>('0' + ((byte >> shift) & 7)));
    }
  }
  return out.put('"');
}

Writer& put_index(Writer& out, std::string_view key, uint64_t index) {
  return out.put(key).put("[0x").hex(index).put("]");
}

void put_environment(Writer& out, char* const* environment) {
  if (environment == nullptr) return;
  for (uint64_t i = 0; environment[i] != nullptr; ++i) {
    const std::string_view entry(environment[i]);
    size_t name_size = 0;
    while (name_size < entry.size() && entry[name_size] != '=') ++name_size;
    const std::string_view name(entry.data(), name_size);
    // An entry without '=' is all name, so there is nothing to hide.
    const bool shown = name_size == entry.size() || is_shown(name);
    write_fact(out, shown ? "env" : "env_filtered", i, shown ? entry : name);
  }
}

bool is_text_entry(uint64_t type) {
  constexpr uint64_t kPlatform = 15, kBasePlatform = 24, kExecFn = 31;
  return type == kPlatform || type == kBasePlatform || type == kExecFn;
}

void put_auxv(Writer& out, const uintptr_t* auxv, bool newer) {
  if (auxv == nullptr) return;
  for (uint64_t i = 0; auxv[2 * i] != 0; ++i) {
    const uint64_t type = auxv[2 * i], value = auxv[2 * i + 1];
    put_index(out, "auxv", i).put(".a_type=0x").hex(type).put("\n");
    const bool text = is_text_entry(type) && value != 0;
    put_index(out, "auxv", i).put(text && newer ? ".a_val_string=" : ".a_val=");
    if (text)
      put_quoted(out, reinterpret_cast<const char*>(value)).put("\n");
    else
      out.put("0x").hex(value).put("\n");
  }
}

void put_system(Writer& out, const sys::SystemName* system) {
  if (system == nullptr) return;
  write_fact(out, "uname.sysname", std::string_view(system->sysname));
  write_fact(out, "uname.nodename", std::string_view(system->nodename));
  write_fact(out, "uname.release", std::string_view(system->release));
  write_fact(out, "uname.version", std::string_view(system->version));
  write_fact(out, "uname.machine", std::string_view(system->machine));
  write_fact(out, "uname.domainname", std::string_view(system->domain));
}

}  // namespace

void write_fact(Writer& out, std::string_view key, uint64_t value) {
  out.put(key).put("=0x").hex(value).put("\n");
}

void write_fact(Writer& out, std::string_view key, std::string_view value) {
  put_quoted(out.put(key).put("="), value).put("\n");
}

void write_fact(Writer& out, std::string_view key, uint64_t index, std::string_view value) {
  put_quoted(put_index(out, key, index).put("="), value).put("\n");
}

void write_diagnostics(Writer& out, const DiagnosticsData& data) {
  write_fact(out, "dl_dst_lib", data.dst_lib);
  write_fact(out, "dl_hwcap", data.hwcap);
  write_fact(out, "dl_hwcap2", data.hwcap2);
  if (data.newer) {
    write_fact(out, "dl_hwcap3", data.hwcap3);
    write_fact(out, "dl_hwcap4", data.hwcap4);
  }
  write_fact(out, "dl_hwcaps_subdirs", data.hwcaps_subdirs);
  write_fact(out, "dl_hwcaps_subdirs_active", data.hwcaps_subdirs_active);
  write_fact(out, "dl_pagesize", data.page_size);
  // Compat: where the kernel gives none glibc has a null pointer, and says so.
  if (data.platform.data() != nullptr)
    write_fact(out, "dl_platform", data.platform);
  else
    write_fact(out, "dl_platform", uint64_t{0});
  write_fact(out, "dso.ld", data.loader_soname);
  write_fact(out, "dso.libc", data.libc_soname);
  put_environment(out, data.environment);
  write_fact(out, "path.prefix", data.prefix);
  write_fact(out, "path.rtld", data.interpreter);
  write_fact(out, "path.sysconfdir", data.sysconfdir);
  for (size_t i = 0; i < data.system_directories.size(); ++i)
    write_fact(out, "path.system_dirs", i, data.system_directories[i]);
  write_fact(out, "version.release", data.release);
  write_fact(out, "version.version", data.version);
  put_auxv(out, data.auxv, data.newer);
  put_system(out, data.system);
  if (data.write_machine != nullptr) data.write_machine(data.machine_context, out);
}

}  // namespace prelude::report
