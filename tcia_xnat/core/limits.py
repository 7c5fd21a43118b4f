"""Limits on what servers send: more than the largest honest answer, less than what fills memory or never ends.

Sizes are bytes after decompression: a gzip body of 1 MB can hold 1 GB.
"""

MIB = 1 << 20

XNAT_ANSWER = 512 * MIB
"""Bytes of a table or document of XNAT: one million scans at about 450 bytes a row."""

NBIA_ANSWER = 256 * MIB
"""Bytes of a JSON answer or manifest of NBIA: 300,000 series at about 800 bytes a row."""

SINGLE_IMAGE = 2048 * MIB
"""Bytes of one image that NBIA sends by itself, to a file; those of a series are also bounded by its listed size."""

LIST_FILE = 64 * MIB
"""Bytes of a manifest behind an address: one million series at 64 bytes a line."""

CITATION = MIB
"""Bytes of one citation; those with thousands of authors have 200 kB."""

ERROR_PAGE = MIB
"""Bytes of an error page that are read; its first line is shown, the rest is dropped."""

ANSWER_SECONDS = 1800.0
"""Seconds from the first byte of an answer that is read as a whole to its last one: a drip never ends by itself."""

LISTING_PAGE = 8 * MIB
"""Bytes of one page of a bucket listing: S3 sends at most 1,000 keys of at most 1,024 bytes."""

LISTING_PAGES = 2_000
"""Pages of one listing: more than any series needs, also from a server with short pages."""

LISTED_OBJECTS = 200_000
"""Objects of one series; the largest series of IDC has fewer than 30,000."""

OBJECT = 1 << 40
"""Bytes of one object; the largest slides of IDC have a few 10 GB."""

IMAGES_OF_SERIES = 10_000_000
"""Images of one series: a row that says more is wrong."""

BYTES_OF_IMAGE = 4 << 30
"""Bytes of one image of NBIA: a row that says more for each of its images has a wrong FileSize."""

BYTES_OF_SERIES = 1 << 40
"""Bytes of one series: a row that says more has a wrong FileSize."""
