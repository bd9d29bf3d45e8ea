// A kernel for tests: files and directories in memory, failures by script, a log of calls. It
// defines all of prelude/sys/sys.h. Mappings are real memory, so that code under test may read and
// write them.
#pragma once

#include <prelude/sys/sys.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::sys::fake {

/// Back to an empty root directory, current directory "/", no scripts, no log. Frees mappings.
void reset();

// Files. Missing parent directories are made. Paths are absolute.
void add_file(std::string_view path, std::string_view content = "", uint32_t permissions = 0755);
void add_directory(std::string_view path);
void add_link(std::string_view path, std::string_view target);
/// A FIFO, socket or device: `mode` with its type bits.
void add_node(std::string_view path, uint32_t mode);
/// A new file (new inode, newer times) in the place of the old one, as rename(2) does it.
void replace_file(std::string_view path, std::string_view content);
void remove(std::string_view path);
void set_owner(std::string_view path, uint32_t owner);
std::string content(std::string_view path);

void set_current_directory(std::string_view path);

// Scripts. `call` is the name of the function of sys.h.
/// After `skip` more calls, the next `times` calls fail.
void fail(std::string_view call, Errno error, int skip = 0, int times = 1);
/// Every call with this path fails.
void fail_path(std::string_view call, std::string_view path, Errno error);
/// read_at gives at most this many bytes at once; 0 = no limit.
void limit_reads(size_t bytes);

// What happened.
/// "open_for_reading /lib/libc.so.6", "map_file", ... in order.
const std::vector<std::string>& log();
void clear_log();
/// Calls in the log that begin with `text`.
int count(std::string_view text);
int open_descriptors();
int mappings();
/// What was written to a descriptor (1, 2, or one from open_for_trace).
std::string output(int fd);

void set_time_ns(uint64_t now);

}  // namespace prelude::sys::fake
