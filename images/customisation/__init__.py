"""What a user changes about an image, in one file: ``zeroth-image.yaml``."""

from __future__ import annotations

from images.customisation.model import ImageSpec
from images.customisation.prepared import Customisation
from images.customisation.read import CUSTOMISATION_FILE, read_customisation

__all__ = ["CUSTOMISATION_FILE", "Customisation", "ImageSpec", "read_customisation"]
