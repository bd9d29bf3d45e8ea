// LD_DEBUG=tls: the words of glibc 2.43, which tells of threads' blocks, and of 2.44, which tells
// all.
#include "debug_lines.h"
#include "names.h"

namespace prelude::report {
namespace {

bool write_threads(Writer& out, const Event& event) {
  switch (event.kind) {
    case EventKind::kTlsBlock:
      out.put("TCB allocated: 0x").hex(event.value);
      return true;
    case EventKind::kTlsFreed:
      out.put("TCB deallocating: 0x").hex(event.value);
      out.put(event.value2 != 0 ? " (dealloc_tcb=1)" : " (dealloc_tcb=0)");
      return true;
    default:
      return false;
  }
}

void put_thread(Writer& out, const char* text, const Event& event, const char* tail) {
  out.put(text).put("0x").hex(event.value).put(tail);
}

void put_module(Writer& out, const char* text, const char* link, const Event& event) {
  out.put(text).decimal(event.value).put(link);
  put_object(out, event.file, event.ns);
}

void put_use(Writer& out, const Event& event, const char* text) {
  out.put("modid ").decimal(event.value2).put(text);
}

void put_block(Writer& out, const char* text, const Event& event) {
  out.put(text).put("0x").hex(event.value3).put(" for modid ").decimal(event.value2);
}

void put_owner(Writer& out, const Event& event) { out.put("; TCB=0x").hex(event.value); }

}  // namespace

bool write_tls_text(Writer& out, const Event& event, TlsDetail detail) {
  if (detail == TlsDetail::kThreads) return write_threads(out, event);
  out.put("tls: ");
  switch (event.kind) {
    case EventKind::kTlsBlock:
      put_thread(out, "allocate TCB ", event, "");
      break;
    case EventKind::kTlsFreed:
      put_thread(out, "deallocate TCB ", event,
                 event.value2 != 0 ? " (dealloc_tcb=1)" : " (dealloc_tcb=0)");
      break;
    case EventKind::kTlsAssigned:
      put_module(out, "assign modid ", " to ", event);
      break;
    case EventKind::kTlsReleased:
      put_module(out, "release modid ", " from ", event);
      break;
    case EventKind::kTlsLimit:
      out.put("initial modid limit set to ").decimal(event.value);
      break;
    case EventKind::kTlsFilled:
      put_thread(out, "TLS initialized for TCB ", event, "");
      break;
    case EventKind::kTlsUpdated:
      put_use(out, event, " update DTV to generation ");
      put_owner(out.decimal(event.value3), event);
      break;
    case EventKind::kTlsGrown:
      put_thread(out, "DTV resized for TCB ", event, ": oldsize=");
      out.decimal(event.value2).put(", newsize=").decimal(event.value3);
      break;
    case EventKind::kTlsDropped:
      put_thread(out, "DTV update for TCB ", event, ": ");
      put_use(out, event, " deallocated block 0x");
      out.hex(event.value3);
      break;
    case EventKind::kTlsLazy:
      put_use(out, event, " lazy allocation");
      put_owner(out, event);
      break;
    case EventKind::kTlsStatic:
      put_use(out, event, " using static TLS");
      put_owner(out, event);
      break;
    case EventKind::kTlsAllocated:
      put_block(out, "allocate block ", event);
      out.put("; size=").decimal(event.value4).put(", TCB=0x").hex(event.value);
      break;
    case EventKind::kTlsReentered:
      put_use(out, event, " reentrant usage");
      put_owner(out, event);
      break;
    case EventKind::kTlsReleasedBlock:
      put_block(out, "deallocate block ", event);
      put_owner(out, event);
      break;
    default:
      break;
  }
  return true;
}

}  // namespace prelude::report
