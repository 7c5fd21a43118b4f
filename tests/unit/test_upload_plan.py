"""What the plan of an upload says of series that may not go where they would, and with which code it ends."""

import io

import pytest
from rich.console import Console

from tcia_xnat.core.model import Label, Series
from tcia_xnat.manifest import Manifest
from tcia_xnat.plan_view.estimate import Estimate
from tcia_xnat.plan_view.rows import plan_rows
from tcia_xnat.plan_view.table import plan_table
from tcia_xnat.plan_view.upload import exit_code, plan_summary
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.planning.held import Held
from tcia_xnat.planning.identity import identify
from tcia_xnat.planning.plan import make
from tcia_xnat.report.verdict import plan_exit_code
from tcia_xnat.sources.local.choice import ZipMode
from tcia_xnat.sources.local.layout import Layout
from tcia_xnat.sources.local.tree import Tree
from tcia_xnat.transfer.work import Prepared

LABEL = Label("P", "P")
CT = Held(
    labels={"1.1": [LABEL]},
    archived_as={"1.1.1": LABEL},
    types={LABEL: "xnat:ctSessionData"},
    patients={LABEL: "P"},
    sessions=frozenset("P"),
    subjects=frozenset("P"),
)


CASES = [
    ("P", CT, ["is a CT session, and XNAT adds no PT to it", "--split-session"]),
    ("Q", CT, ["of PatientID P; the PatientID of these images is Q", "--same-patient P=Q"]),
    ("P", Held(foreign={"1.1": "/prearchive/projects/X/1/THEIRS"}), ["/prearchive/projects/X/1/THEIRS"]),
]


def prepared_of(patient: str, held: Held) -> Prepared:
    catalogue = Catalogue({"1.1.2": Series("1.1.2", "1.1", patient, modality="PT", image_count=3)}, {})
    found = identify(catalogue, held)
    plan = make(catalogue, held, found.labels, refused=found.refused)
    return Prepared(Manifest("", ()), catalogue, found.labels, plan)


@pytest.mark.parametrize(("patient", "held", "words"), CASES)
def test_what_xnat_would_refuse_is_named_before_the_first_byte(patient: str, held: Held, words: list[str]) -> None:
    prepared, written = prepared_of(patient, held), io.StringIO()
    tree = Tree(Layout.HEADERS, ZipMode.PROCESS, prepared.catalogue, {}, {}, {"1.1.2": "."})
    Console(file=written, width=500).print(plan_summary(prepared, tree, [], "X", asked_xnat=True))
    said = written.getvalue()
    words = [*words, "Cannot be sent: series 1.1.2: ", "Cannot be sent: 1 series", "To send: 0 series", "see below"]
    assert [word for word in words if word not in said] == []
    assert exit_code(prepared, tree) == 3


@pytest.mark.parametrize(("patient", "held", "words"), CASES)
def test_the_plan_of_a_transfer_names_it_too(patient: str, held: Held, words: list[str]) -> None:
    prepared, written = prepared_of(patient, held), io.StringIO()
    Console(file=written, width=500).print(plan_table(plan_rows(prepared), Estimate(0, 1, "assumed", 0), "project X"))
    said = written.getvalue()
    assert [word for word in [*words, "To send: 0 series", "1.1.2"] if word not in said] == []
    assert plan_exit_code(prepared.plan) == 3
