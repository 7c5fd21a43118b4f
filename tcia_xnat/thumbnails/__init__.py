"""One small picture of each series for the report's contact sheet, made while the series is in hand.

Foreign images are decoded in a process of their own (`worker`): what hangs or crashes there costs a picture, never a
transfer, and no credential is in its environment. `Painter` is the side of the lanes, `middle` chooses the image,
`render` draws it.
"""

from tcia_xnat.thumbnails.painter import Depict, no_picture, painter
from tcia_xnat.thumbnails.store import read_pictures

__all__ = ["Depict", "no_picture", "painter", "read_pictures"]
