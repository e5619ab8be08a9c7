"""Landlock: a process gives up all files but those named. See userspace-api/landlock."""

import ctypes
import os
import struct
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path
from typing import Final

_CREATE_RULESET: Final = 444  # the numbers are the same on every architecture
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_RULESET: Final = struct.Struct("=QQQ")  # handled file access, handled network access, scopes
_RULE: Final = struct.Struct("=Qi")  # allowed access, descriptor of the folder or file
_NETWORK_FROM: Final = 4
_SCOPES_FROM: Final = 6
_ALL_NETWORK: Final = 0b11  # to bind and to connect a TCP socket
_ALL_SCOPES: Final = 0b11  # abstract Unix sockets, and signals, of processes outside


class Access(IntFlag):
    """What may be done with a file or folder."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ: Final = Access.READ_FILE | Access.READ_DIR
WRITE: Final = (
    READ
    | Access.WRITE_FILE
    | Access.TRUNCATE
    | Access.MAKE_REG
    | Access.MAKE_DIR
    | Access.REMOVE_FILE
    | Access.REMOVE_DIR
)
_OF_FILES: Final = (
    Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
)
_NEWER: Final = {Access.REFER: 2, Access.TRUNCATE: 3, Access.IOCTL_DEV: 5}


def version() -> int:
    """Return the version of Landlock that the kernel offers, 0 if none."""
    found = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION))
    return max(0, int(found))


def restrict(*, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Take all access to files from this thread but to these; also TCP and signals outwards.

    Paths that do not exist, or cannot be reached, are left out. The caller must have set
    no_new_privs.
    Raises: OSError where the kernel does not offer it.
    """
    offered = version()
    handled = Access(0)
    for right in Access:
        if _NEWER.get(right, 1) <= offered:
            handled |= right
    ruleset = _create(
        _RULESET.pack(
            handled,
            _ALL_NETWORK if offered >= _NETWORK_FROM else 0,
            _ALL_SCOPES if offered >= _SCOPES_FROM else 0,
        )
    )
    try:
        for path in readable:
            _allow(ruleset, path, READ & handled)
        for path in writable:
            _allow(ruleset, path, WRITE & handled)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _create(attributes: bytes) -> int:
    # An older kernel knows fewer fields, and takes a longer structure whose rest is zero.
    return _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))


def _allow(ruleset: int, path: Path, access: Access) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what cannot be reached needs no leave
    try:
        if not path.is_dir():
            access &= _OF_FILES
        rule = _RULE.pack(access, descriptor)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
