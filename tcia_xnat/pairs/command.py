"""`pairs`: the PET/CT pairs of a manifest, of collections or of patients."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from tcia_xnat import cli
from tcia_xnat.cli.command_list import Command
from tcia_xnat.core.errors import UsageError
from tcia_xnat.pairs.judge import Judged, Order, SeriesRow, Verdict, judge
from tcia_xnat.pairs.rules import STANDARD, load
from tcia_xnat.pairs.table import explained_csv, explained_line, pairs_csv

_OTHER_RULES = "--explain says why of each study; --rules FILE takes your own, made after tcia_xnat/pairs/default.toml"
_ELSEWHERE = "IDC's index lists none of these series; query.py search --modality PT shows what has PET"


@click.command(cls=Command, context_settings=cli.CONTEXT)
@click.argument("manifest", required=False)
@click.argument("csv", required=False)
@click.option("--collection", "collections", multiple=True, metavar="NAME", help="Only of this collection; repeatable.")
@click.option("--patient", "patients", multiple=True, metavar="ID", help="Only of this PatientID; repeatable.")
@click.option(
    "--rules",
    "names",
    multiple=True,
    default=STANDARD,
    metavar="NAME|FILE",
    help="default, strict, general, or a TOML file of rules; repeatable: the next are tried for patients of whom the "
    "first find no pair.",
)
@click.option("--explain", is_flag=True, help="Say of each study what became of it and why, on stderr.")
@click.option("--explain-csv", metavar="FILE", help="The same as a table.")
@click.option(
    "--max-pairs-per-patient", type=click.IntRange(1), default=1, help="How many pairs of a patient are taken."
)
@click.option(
    "--order",
    type=click.Choice(["date", "images"]),
    default="date",
    help="Which of them come first: the earliest, or those with the most images.",
)
@click.option("--idc-index", metavar="FILE", help="Another parquet in the place of IDC's embedded index.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@cli.reports_errors
def pairs(
    manifest: str | None,
    csv: str | None,
    *,
    names: Sequence[str],
    order: str,
    max_pairs_per_patient: int,
    **options: Any,  # noqa: ANN401  click names and checks them
) -> int:
    """Pick the PET/CT pairs of MANIFEST and write them to CSV, one row per patient.

    A pair is a study with exactly one attenuation-corrected whole-body PET and exactly one CT, by their descriptions;
    of a patient's pairs the earliest is taken. Patients of whom these rules (default) find no pair are judged by the
    general ones: the best PET that is not uncorrected, and the best CT of the same study. CSV left out, or -, is
    stdout. With --collection or --patient MANIFEST may be left out, and a single argument is CSV.

    download.py takes the CSV as its MANIFEST and brings both series of each row, those of pet_series_instance_uid and
    ct_series_instance_uid. Series that IDC's index does not list are not looked at.
    """
    if (options["collections"] or options["patients"]) and csv is None:
        manifest, csv = None, manifest
    rules = [load(name) for name in names]
    rows = wanted_rows(manifest, options["collections"], options["patients"], options["idc_index"])
    studies = judge(rows, rules, Order(order), max_pairs_per_patient)
    cli.write_result(csv or cli.STDOUT, pairs_csv(study for study in studies if study.verdict is Verdict.CHOSEN))
    explain(studies, on_stderr=options["explain"], file=options["explain_csv"])
    return 0


def explain(studies: Sequence[Judged], *, on_stderr: bool, file: str | None) -> None:
    """Say what became of the studies: of each where that is asked for, else how many they are."""
    if file:
        cli.write_result(file, explained_csv(studies))
    for line in map(explained_line, studies if on_stderr else ()):
        click.echo(line, err=True)
    click.echo(counted(studies) + ("" if on_stderr or file else "; --explain says why"), err=True)
    if not any(study.verdict is Verdict.CHOSEN for study in studies):
        click.echo(f"no pair was found: {_OTHER_RULES if studies else _ELSEWHERE}", err=True)


def wanted_rows(
    manifest: str | None, collections: Sequence[str], patients: Sequence[str], idc_index: str | None
) -> list[SeriesRow]:
    """Return the series that are looked at.

    Raises
    ------
    UsageError
        Nothing is given, or something that is not there.
    """
    from tcia_xnat.pairs.rows import Wanted, collection_id, index_rows  # noqa: PLC0415  as above
    from tcia_xnat.sources.idc.client import index_path  # noqa: PLC0415  --help need not wait for it

    if not (manifest or collections or patients):
        raise UsageError("nothing to pick pairs from", "pairs MANIFEST CSV, or pairs CSV --collection NAME")
    uids = asked_uids(manifest, idc_index) if manifest else None
    wanted = Wanted(uids, [collection_id(name) for name in collections] or None, list(patients) or None)
    rows = index_rows(index_path(idc_index), wanted)
    if uids and not collections and not patients and len(rows) < len(uids):
        lost = len(uids) - len(rows)
        click.echo(f"{lost} of {len(uids)} series are not in IDC's index, and not looked at", err=True)
    return rows


def asked_uids(manifest: str, idc_index: str | None) -> tuple[str, ...]:
    """Return the series of a manifest, and say which of its lines are passed over."""
    from tcia_xnat.core.retry import Patience, RetryPolicy  # noqa: PLC0415  as above
    from tcia_xnat.manifest import passed_over  # noqa: PLC0415  as above
    from tcia_xnat.request.requested import read_asked  # noqa: PLC0415  as above

    asked = read_asked(manifest, idc_index, Patience(RetryPolicy(), time.sleep))
    for line in (*(one.text for one in asked.read), *passed_over(asked.rejected)):
        click.echo(line, err=True)
    return asked.series_instance_uids


def counted(studies: Sequence[Judged]) -> str:
    """Return how many studies are pairs, and how many are none."""
    chosen = [study for study in studies if study.verdict is Verdict.CHOSEN]
    patients = len({(study.collection, study.patient_id) for study in chosen})
    rejected = sum(study.verdict is Verdict.REJECTED for study in studies)
    pairs_of = f"{len(chosen)} {'pair' if len(chosen) == 1 else 'pairs'} of {patients} patient{'s'[: patients != 1]}"
    return f"{pairs_of}{_by_rules(chosen)}, {rejected} of {len(studies)} studies rejected"


def _by_rules(chosen: Sequence[Judged]) -> str:
    """Return how many pairs each rules found; empty where the general ones found none."""
    found = Counter(study.rules for study in chosen)
    if STANDARD[1] not in found:
        return ""
    return f" ({', '.join(f'{count} by the rules {name}' for name, count in found.items())})"
