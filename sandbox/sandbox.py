"""TCIA, IDC and XNAT together, each on a port of its own."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sandbox.dicom import Images
from sandbox.faults import Faults
from sandbox.idc import Buckets
from sandbox.index import Index, Served
from sandbox.nbia import Nbia
from sandbox.record import Recorder
from sandbox.serve import Server

USER, PASSWORD = "admin", "admin"

if TYPE_CHECKING:
    import sandbox.xnat as sandbox_xnat


@dataclass(frozen=True, slots=True)
class Settings:
    """What the sandbox serves, and how.

    Parameters
    ----------
    pixels
        Rows and columns of an image; with it grows every file.
    max_instances
        Cap on the images of a series; None serves as many as the IDC index counts.
    port_nbia, port_idc, port_xnat
        0 takes any free port.
    hidden_from_nbia, hidden_from_idc
        SeriesInstanceUIDs that one of the archives does not know.
    extra_series
        Series that only NBIA knows, as columns of the index; SeriesInstanceUID must be given.
    collections
        The only collections that are served, as collection_id; none given are all. A few make a quick start.
    incompressible
        Noise instead of pictures, for benchmarks.
    deflate_level
        Of NBIA's zips; Java's default is 6.
    page_size
        Most objects in one page of a list of IDC's buckets.
    multipart_etags
        ETags of IDC's objects are no MD5s.
    users
        Of XNAT: name → password; `admin` is the administrator.
    xnat
        Site preferences of XNAT.
    with_xnat
        Whether there is an XNAT at all.
    """

    pixels: int = 64
    max_instances: int | None = None
    port_nbia: int = 0
    port_idc: int = 0
    port_xnat: int = 0
    hidden_from_nbia: Collection[str] = ()
    hidden_from_idc: Collection[str] = ()
    extra_series: Sequence[Mapping[str, Any]] = ()
    collections: Collection[str] = ()
    incompressible: bool = False
    deflate_level: int = 6
    page_size: int = 1000
    multipart_etags: bool = False
    users: Mapping[str, str] = field(default_factory=lambda: {USER: PASSWORD})
    xnat: "sandbox_xnat.Settings | None" = None
    with_xnat: bool = True


class Sandbox:
    """The three servers, up inside a `with` block.

    Parameters
    ----------
    directory
        Where the sandbox keeps its index (`idc`) and its XNAT (`xnat`); what is in there is used again.
    settings
        The fields of `Settings`, by name.

    Attributes
    ----------
    nbia, s3
        What the servers were asked: `requests`, `most_at_once`, `bytes_sent`.
    nbia_faults, idc_faults, xnat_faults
        What goes wrong.
    nbia_application
        The NBIA itself, whose `wrap` may change the entries of its zips.
    index, images
        What is served, for tests that compare.
    environment
        Variables that point the tool to the sandbox; complete when the servers are up.
    """

    def __init__(self, directory: Path | str, **settings: Any) -> None:  # noqa: ANN401  the fields of Settings
        self.directory, self.settings = Path(directory).resolve(), Settings(**settings)
        chosen = self.settings
        self.images = Images(chosen.pixels, incompressible=chosen.incompressible)
        served = Served(
            self.images.image_bytes,
            chosen.max_instances,
            chosen.hidden_from_idc,
            chosen.hidden_from_nbia,
            chosen.extra_series,
            chosen.collections,
        )
        self.index = Index(self.directory / "idc", served)
        self.nbia_application = Nbia(self.index, self.images, level=chosen.deflate_level)
        buckets = Buckets(self.index, self.images, page_size=chosen.page_size, multipart=chosen.multipart_etags)
        self.nbia_faults, self.idc_faults, self.xnat_faults = Faults(), Faults(), Faults()
        self.nbia = Recorder(self.nbia_application.application, self.nbia_faults.around)
        self.s3 = Recorder(buckets.application, self.idc_faults.around)
        self.environment: dict[str, str] = {}
        self._xnat = self._make_xnat() if chosen.with_xnat else None
        self._servers = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as servers:
            nbia = servers.enter_context(Server(self.nbia, self.settings.port_nbia))
            idc = servers.enter_context(Server(self.s3, self.settings.port_idc))
            self.environment = {
                "TCIA_XNAT_NBIA_URL": f"{nbia.url}/nbia-api/services",
                "TCIA_XNAT_IDC_URL": idc.url,
                "TCIA_XNAT_IDC_INDEX": str(self.index.parquet),
            }
            if self._xnat:
                servers.enter_context(self._xnat)
                self.environment |= {"XNAT_HOST": self._xnat.url, "XNAT_USER": USER, "XNAT_PASS": PASSWORD}
            self._servers = servers.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._servers.close()

    @property
    def xnat(self) -> "sandbox_xnat.XnatServer":
        """The XNAT itself, for tests that look inside or turn its knobs."""
        assert self._xnat, "this sandbox has no XNAT"  # noqa: S101  for mypy: only tests ask
        return self._xnat

    def _make_xnat(self) -> "sandbox_xnat.XnatServer":
        from sandbox.xnat import XnatServer  # noqa: PLC0415  tests of the sources do without it

        chosen = self.settings
        return XnatServer(
            self.directory / "xnat",
            settings=chosen.xnat,
            port=chosen.port_xnat,
            users=chosen.users,
            around=self.xnat_faults.around,
        )
