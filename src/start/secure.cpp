// What a secure program needs before anything else happens: three open descriptors, so that no file
// it opens later is taken for its standard input, output or error. And what it takes of its user.
#include "start.h"

#include <prelude/base/string.h>

namespace prelude::start {
namespace {

constexpr uint32_t kTypeMask = 0170000, kCharacterDevice = 0020000;
constexpr uint64_t device(uint64_t major, uint64_t minor) { return major << 8 | minor; }
// Linux Documentation/admin-guide/devices.txt
constexpr uint64_t kNullDevice = device(1, 3), kFullDevice = device(1, 7);
constexpr int kFailed = 127;

// Opened the wrong way round: reads and writes fail.
bool open_in_place(int wanted) {
  const bool input = wanted == 0;
  const auto fd = sys::open_device(input ? "/dev/full" : "/dev/null", input);
  if (!fd || *fd != wanted) return false;
  const auto status = sys::status(*fd);
  return status && (status->mode & kTypeMask) == kCharacterDevice &&
         status->special_device == (input ? kFullDevice : kNullDevice);
}

}  // namespace

bool is_plain_name(const char* name) {
  constexpr size_t kLongest = 255;
  return !contains(name, '/') && !contains(name, '$') && string_length(name) <= kLongest;
}

void guard_secure_start(bool direct) {
  if (!world.stack.process.secure) return;
  for (int fd = 0; fd <= 2; ++fd)
    if (const auto status = sys::status(fd);
        !status && status.error() == sys::kEBADF && !open_in_place(fd))
      sys::exit_group(kFailed);
  if (!direct) return;
  // With the rights of the loader's own file, nobody may choose the program.
  constexpr std::string_view kRefusal =
      "ld.so: no program is run by a loader that has special privileges\n";
  sys::write_all(2, kRefusal.data(), kRefusal.size());
  sys::exit_group(kFailed);
}

}  // namespace prelude::start
