"""What was named to NBIA and is not in its answer is said."""

from tcia_xnat.cli.tcia_commands import not_there

EMPTY = "manifestVersion=3.0\nListOfSeriesToDownload=\n"


def test_series_that_nbia_does_not_offer_are_named() -> None:
    asked = {"series_instance_uids": ("1.2", "1.3", "1.4")}
    rows = [{"SeriesInstanceUID": "1.3"}]
    assert not_there("get-series-metadata", asked, rows) == "NBIA does not offer 1.2, 1.4"
    assert not not_there("get-series-metadata", {"series_instance_uids": ("1.3",)}, rows)
    assert not not_there("get-denied-series", asked, ["1.2"])


def test_an_empty_manifest_is_said() -> None:
    assert not_there("get-manifest-for-collection", {"collection": "NOPE"}, EMPTY) == "NBIA lists no series of NOPE"
    asked = {"patient_ids": ("P1", "P2"), "include_annotation": True}
    assert not_there("get-manifest-from-patient-study-series", asked, EMPTY) == "NBIA lists no series of P1, P2"
    assert not not_there("get-manifest-for-collection", {"collection": "A"}, f"{EMPTY}1.2\n")
    assert not not_there("get-user-agreement-txt", {}, "text")
