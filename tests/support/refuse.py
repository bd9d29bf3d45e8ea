"""Makes chosen system calls of a child fail (seccomp, see seccomp(2) and linux/filter.h), whichever loader
makes them: a call is chosen by its number and by values of its arguments."""
import ctypes
import errno
import struct

# Two system calls may do the same.
CALLS = {"mmap": (9, 9), "mprotect": (10, 10), "readlink": (89, 267)}
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_FIXED, MAP_ANONYMOUS = 16, 32
X86_64 = 0xc000003e

_LOAD, _EQUAL, _AT_LEAST, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7fff0000, 0x00050000
_ARCHITECTURE, _ARGUMENTS = 4, 16


def _chosen(argument, test, value):
    """Goes on when the low word of the argument fits; None: jumps to the end."""
    return [[_LOAD, 0, 0, _ARGUMENTS + 8 * argument], [test, 0, None, value]]


def refuse(call, equal=None, at_least=None, flags=None, number=errno.ENOMEM):
    """For Popen's preexec_fn: `call` gives `number` where each argument in `equal` has that value, each in
    `at_least` is no smaller, and each in `flags` has one of these bits."""
    body = [[_LOAD, 0, 0, _ARCHITECTURE], [_EQUAL, 0, None, X86_64], [_LOAD, 0, 0, 0],
            [_EQUAL, 1, 0, CALLS[call][0]], [_EQUAL, 0, None, CALLS[call][1]]]
    # A jump counts the instructions it passes over; the last one lets the call be made.
    for conditions, test in ((equal, _EQUAL), (at_least, _AT_LEAST), (flags, _SET)):
        for argument, value in (conditions or {}).items():
            body += _chosen(argument, test, value)
    body += [[_RETURN, 0, 0, _ERRNO | number], [_RETURN, 0, 0, _ALLOW]]
    for at, instruction in enumerate(body):
        if instruction[2] is None:
            instruction[2] = len(body) - 2 - at
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in body)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("<H6xQ", len(body), ctypes.addressof(buffer))

    return lambda: _apply(libc, program, buffer)


def _apply(libc, program, code):
    assert code is not None  # `program` holds its address
    zero = ctypes.c_ulong(0)
    if libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(22, ctypes.c_ulong(2), program, zero, zero):
        raise OSError(ctypes.get_errno(), "seccomp")
