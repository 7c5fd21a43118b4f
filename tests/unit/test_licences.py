"""What a licence allows, what is left out because of it, and what is written of it."""

from contextlib import closing
from pathlib import Path

import pytest

from tcia_xnat.core import licenses
from tcia_xnat.core.errors import UsageError
from tcia_xnat.core.model import Series, State
from tcia_xnat.planning import plan
from tcia_xnat.planning.catalog import Catalogue
from tcia_xnat.report.licences import as_bibtex, as_markdown
from tcia_xnat.sources.idc.index import Dataset, IdcIndex
from tcia_xnat.sources.idc.questions import Query

DATASETS = {
    "10.1/a_b": Dataset(
        "10.1/a_b",
        "A & B: 100% {new}",
        "Doe, J., &amp; Roe, R.\n(2020). <i>A & B</i>. https://doi.org/10.1/A_B",
        "CC BY-NC 4.0",
        "Creative Commons Attribution-NonCommercial 4.0 International License",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    )
}


def row(licence: str, doi: str, source: str = "idc") -> dict[str, str]:
    return {"licence": licence, "collection_id": "abc", "source_DOI": doi, "source": source}


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC BY 4.0", False),
        ("CC BY-NC 3.0", True),
        ("CC BY-NC-SA 4.0", True),
        ("Creative Commons Attribution-Non Commercial 3.0", True),
        ("NCI terms", False),
        ("", False),
    ],
)
def test_licences_that_forbid_commercial_use(licence: str, *, forbids: bool) -> None:
    assert licenses.is_non_commercial(licence) is forbids


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        ((), {"CC BY 3.0", "CC BY 4.0", "CC BY-NC 4.0", "NLM", ""}),
        (("CC BY 4.0",), {"CC BY 4.0"}),
        (("cc by",), {"CC BY 3.0", "CC BY 4.0"}),
        (("CC BY*",), {"CC BY 3.0", "CC BY 4.0", "CC BY-NC 4.0"}),
        (("CC BY-NC", "NLM"), {"CC BY-NC 4.0", "NLM"}),
        (("commercial",), {"CC BY 3.0", "CC BY 4.0", "NLM"}),
    ],
)
def test_a_filter_takes_the_licences_it_names(patterns: tuple[str, ...], allowed: set[str]) -> None:
    known = {"CC BY 3.0", "CC BY 4.0", "CC BY-NC 4.0", "NLM", ""}
    assert {licence for licence in known if licenses.allows(patterns, licence)} == allowed


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CC BY, CC BY-NC 4.0", ("CC BY", "CC BY-NC 4.0")),
        (
            "commercial,National Library of Medicine Terms and Conditions; May 21, 2019,CC BY",
            ("commercial", "National Library of Medicine Terms and Conditions; May 21, 2019", "CC BY"),
        ),
        (" , ", ()),
    ],
)
def test_a_comma_may_be_a_part_of_a_name(text: str, names: tuple[str, ...]) -> None:
    assert licenses.parsed([text]) == names


@pytest.mark.parametrize("spelling", ["CC-BY-4.0", "cc by 4", "CCBY 4.0", "CC_BY 4.0", "CC BY v4.0"])
def test_spellings_of_one_licence(spelling: str) -> None:
    assert licenses.named([spelling], licenses.KNOWN) == ("CC BY 4.0",)
    licenses.check([spelling])


@pytest.mark.parametrize("name", ["CC-BX", "CC BY 5.0", "free", "non-commercial"])
def test_a_licence_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="there is no licence"):
        licenses.check([name])
    licenses.check([name], [name])


def test_the_licences_of_the_index_are_known() -> None:
    with closing(IdcIndex()) as index:
        rows = index.ask(Query("SELECT DISTINCT license_short_name FROM index")).rows
    assert {name for (name,) in rows if name} <= set(licenses.KNOWN)


def test_what_is_left_out_is_named_and_not_missing() -> None:
    series = {uid: Series(uid, "2", "3", licence=licence) for uid, licence in (("1", "CC BY 4.0"), ("2", ""))}
    catalogue = Catalogue(series, {}, "v25")
    kept, left = plan.allowed(catalogue, ["CC BY"]), plan.left_out(catalogue, ["CC BY"])
    assert (list(kept.series), kept.idc_version) == (["1"], "v25")
    assert [(one.series_instance_uid, one.state) for one in left] == [("2", State.FILTERED)]
    assert "not known" in left[0].reason
    assert not left[0].state.is_missing
    assert not left[0].state.is_in


def test_the_page_names_duties_licences_and_citations() -> None:
    text = as_markdown([row("CC BY-NC 4.0", "10.1/a_b"), row("CC BY-NC 4.0", "10.1/a_b"), row("", "")], DATASETS)
    assert "Not for commercial use: CC BY-NC 4.0" in text
    assert "| CC BY-NC 4.0 | abc | [10.1/a_b](https://doi.org/10.1/a_b) | 2 |" in text
    assert "| not known | abc | not known | 1 |" in text
    assert "https://creativecommons.org/licenses/by-nc/4.0/" in text
    assert "- Doe, J., & Roe, R. (2020). A & B. https://doi.org/10.1/A_B" in text
    assert "Not for commercial" not in as_markdown([row("CC BY 4.0", "10.1/x")], {})


def test_entries_for_bibliographies_are_whole() -> None:
    text = as_bibtex([row("CC BY 4.0", "10.1/a_b"), row("CC BY 4.0", "10.1/z", "nbia"), row("", "")], DATASETS)
    assert text.count("@misc{") == 3
    for part in (
        "@misc{10.1_a_b,",
        "doi = {10.1/a_b}",
        "{{A \\& B: 100\\% \\{new\\}}}",
        "@misc{10.1_z,",
        "10.1148/rg.230180",
    ):
        assert part in text
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")
    assert "10.1148" not in as_bibtex([row("CC BY 4.0", "10.1/z", "nbia")], {})


def test_every_dataset_of_the_index_can_be_cited(tmp_path: Path) -> None:
    from tcia_xnat.sources.idc.client import IDCClient  # noqa: PLC0415  this test alone reads the index

    idc = IDCClient()
    dois = {doi for (doi,) in idc.sql_query("SELECT DISTINCT source_DOI FROM index", "DataFrame").to_numpy()}
    datasets = idc.datasets(dois)
    idc.close()
    assert set(datasets) == dois
    (tmp_path / "all.bib").write_text(as_bibtex([row("CC BY 4.0", doi) for doi in sorted(dois)], datasets))
    entries = (tmp_path / "all.bib").read_text()
    assert entries.count("@misc{") == len(dois) + 1
    assert "&amp;" not in entries
    assert "<i>" not in entries
    assert all(one.citation and one.licence for one in datasets.values())


HOSTILE = "x\n| <script>alert(1)</script> | [y](javascript:alert(2)) |\n# "


def test_texts_of_others_are_no_markup_of_the_page() -> None:
    hostile = row(HOSTILE, "10.1/x}\n@misc{evil,") | {"collection_id": HOSTILE}
    datasets = {"10.1/a_b": Dataset("10.1/a_b", "}\n@misc{evil,", HOSTILE, HOSTILE, HOSTILE, "javascript:alert(1)")}
    text = as_markdown([hostile, row("CC BY 4.0", "10.1/a_b")], datasets)
    assert "<script" not in text
    assert "[y](javascript" not in text
    assert not [line for line in text.splitlines() if line.startswith(("# x", "| <"))]
    bib = as_bibtex([hostile, row("CC BY 4.0", "10.1/a_b")], datasets)
    assert len([line for line in bib.splitlines() if line.startswith("@")]) == 3
    assert bib.count("{") - bib.count("\\{") == bib.count("}") - bib.count("\\}")
