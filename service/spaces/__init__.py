"""Search spaces: which there are, compiled ones, and compiling them."""

from service.spaces.library import BoundSpace, Library
from service.spaces.shelf import Shelf

__all__ = ["BoundSpace", "Library", "Shelf"]
