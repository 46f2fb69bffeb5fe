"""Which process is which: a pid alone may belong to a stranger by now."""

from __future__ import annotations

import os
import platform

import psutil

TOLERANCE = 2.0
"""Seconds by which two readings of a creation time may differ."""


def created_at(pid: int | None = None) -> float:
    """When the process (this one) began, in seconds since 1970; 0.0 when there is none."""
    try:
        return float(psutil.Process(pid if pid is not None else os.getpid()).create_time())
    except psutil.Error:
        return 0.0


def exists(pid: int) -> bool:
    """Whether the pid belongs to a process that is not a zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.AccessDenied:
        return True
    except (psutil.Error, ValueError):
        return False


def is_same(pid: int, created: float) -> bool:
    """Whether the process with this pid and creation time is alive."""
    return exists(pid) and abs(created_at(pid) - created) < TOLERANCE


def host() -> str:
    """Name of this machine."""
    return platform.node()
