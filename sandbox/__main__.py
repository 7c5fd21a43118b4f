"""`python -m sandbox`: TCIA, IDC and XNAT on this machine, until Ctrl-C."""

import shlex
import tempfile
import threading
from contextlib import nullcontext
from pathlib import Path

import click

from sandbox.sandbox import Sandbox
from sandbox.serve import stopped_by_signals


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the sandbox keeps its index and its XNAT, to be used again. Without it both are gone at the end.",
)
@click.option("--pixels", type=click.IntRange(16), default=64, help="Rows and columns of an image, even.")
@click.option("--max-instances", type=click.IntRange(1), help="Most images of a series; by default as many as IDC has.")
@click.option(
    "--collection",
    "collections",
    multiple=True,
    help="Serve only this collection, as IDC spells it: cmb_aml. May be given more than once; starts faster.",
)
@click.option("--incompressible", is_flag=True, help="Noise instead of pictures, for benchmarks.")
@click.option("--deflate-level", type=click.IntRange(0, 9), default=6, help="How hard NBIA's zips are compressed.")
@click.option("--nbia-port", "port_nbia", default=0, help="Port of NBIA; 0 is any free one.")
@click.option("--idc-port", "port_idc", default=0, help="Port of IDC's buckets; 0 is any free one.")
@click.option("--xnat-port", "port_xnat", default=0, help="Port of XNAT; 0 is any free one.")
@click.option("--xnat/--no-xnat", "with_xnat", default=True, help="Whether there is an XNAT.")
def main(directory: Path | None, **settings: object) -> None:
    """Serve TCIA (NBIA's REST interface), the Imaging Data Commons and XNAT on 127.0.0.1.

    Any series of the IDC index is served, as made-up images under its real identifiers. The variables that point the
    tool to the sandbox are printed as `export` lines; then it serves until Ctrl-C.

    \b
        python -m sandbox > sandbox.env &
        . ./sandbox.env
        python download.py resources/TCIA/CMB-AML.tcia output CMB-AML
    """  # noqa: D301  \b is click's sign for lines to leave as they are
    pixels = settings["pixels"]
    if isinstance(pixels, int) and pixels % 2:
        raise click.BadParameter(f"{pixels} is odd", param_hint="--pixels")
    stopped = stopped_by_signals()
    with tempfile.TemporaryDirectory(prefix="sandbox-") if directory is None else nullcontext(directory) as folder:
        _serve(Path(folder), settings, stopped)


def _serve(folder: Path, settings: dict[str, object], stopped: threading.Event) -> None:
    try:
        sandbox = Sandbox(folder, **settings)
        with sandbox:
            for name, value in sandbox.environment.items():
                click.echo(f"export {name}={shlex.quote(value)}")
            stopped.wait()
    except OSError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
