"""Equality of short uniform strings, such as the images of keys under a hash."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.kernels import _native
from services.kernels.index import slots_for

FEWEST_BYTES: Final = 8

Images = NDArray[np.uint8]
"""Shape (n, w) uint8, w ≥ 8, C-contiguous."""


class ImageIndex:
    """Where each of some images stands; they are unlike.

    Their first 8 bytes are their place in a table, so whoever can choose many can make this slow;
    those that are looked for may be any.
    """

    def __init__(self, images: Images) -> None:
        self._images = _require(images)
        self._slots = slots_for(len(images))
        _native.index_images(self._slots, images)

    def find(self, wanted: Images) -> NDArray[np.int64]:
        """Return the place of an equal image for each wanted one, or -1. Shapes: (m, w), (m,)."""
        if _require(wanted).shape[1] != self._images.shape[1]:
            raise ValueError(f"images are {self._images.shape} and {wanted.shape}")
        found = np.empty(len(wanted), np.int64)
        _native.find_images(found, self._slots, self._images, wanted)
        return found


def _require(images: Images) -> Images:
    if images.ndim != 2 or images.dtype != np.uint8 or images.shape[1] < FEWEST_BYTES:
        raise ValueError(f"images are {images.shape} {images.dtype}, of too few bytes")
    if not images.flags.c_contiguous:
        raise ValueError("images do not lie together")
    return images
