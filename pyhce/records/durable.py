"""Files that outlast a power cut, and that their owner alone may read."""

from __future__ import annotations

import os
from pathlib import Path


def open_private(path: str, flags: int) -> int:
    """Opens a file that its owner alone may read, for `open(..., opener=private)`."""
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """See the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
