"""Rules: how terms match, what is said of a refusal, and files that are none of rules."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcia_xnat.core.errors import UsageError
from tcia_xnat.pairs import Match, SeriesRules, load
from tcia_xnat.pairs.rules import refusal

STRICT = load("strict")

PASS_STRICT = [
    "PET WB CORRECTED",
    "PET WB-CORRECTED",
    "PET_WB_AC_",
    "PET AC 3DWB",
    "WB 3D MAC",
    "[WB_CTAC]   TOTAL BODY 1",
    "WBAC.IMG: BODY-RAMLA3D-3DAC-S",
    "PET Whole Body",
    "PET WB 400",
    "pet wb nopsf",
    "WB_3D_ATTN-CORR",
]
FAIL_STRICT = [
    "PET WB UNCORRECTED",
    "PET_WB_UNCORRECTED_NAC_",
    "PET WB UNCORR",
    "PET WB NAC2",
    "WB_3D_NON-AC",
    "PET IR NO AC WB",
    "PET NOAC WB",
    "WBNAC: BODY-NOATTN",
    "[WB_NAC]   TOTAL BODY",
    "PET_WB_COR",
    "CORONAL PET WB",
    "SAGITTAL PET_AC_2D_WBS",
    "MIP_MOVIE_PET_WB_AC_",
    "PET WB [MIP#1]",
    "PET WB NOT CORRECTED",
    "PET WB without AC",
    "PET WB [TRANSFORMED OBJECT]",
    "TORSO_3D_AC",
    "PET",
    "",
]
CT_STRICT = {
    "CORONARY CTA": True,
    "SMARTSCORE CT RECON": True,
    "CT WB 5.0": True,
    "5X5CORONALS": False,
    "C_CORS": False,
    "SAGITAL_BODY": False,
    "thin MIPs": False,
    "MinIP": False,
    "Topogram  0.6  T20s": False,
    "Surview": False,
    "Localizer": False,
}


@pytest.mark.parametrize("description", PASS_STRICT)
def test_strict_takes_corrected_whole_body_pet(description: str) -> None:
    assert refusal(STRICT.pet, description) == ""


@pytest.mark.parametrize("description", FAIL_STRICT)
def test_strict_takes_no_others(description: str) -> None:
    assert refusal(STRICT.pet, description)


@pytest.mark.parametrize(("description", "passes"), CT_STRICT.items())
def test_strict_ct(description: str, *, passes: bool) -> None:
    assert (not refusal(STRICT.ct, description)) is passes


@pytest.mark.parametrize(
    ("match", "term", "description", "said"),
    [
        ("anywhere", "cor", "PET WB CORRECTED", "is excluded by 'cor' in 'CORRECTED'"),
        ("anywhere", "cor", "wb_cor2", "is excluded by 'cor'"),
        ("anywhere", "t w", "PET WB", "is excluded by 't w' in 'PET WB'"),
        ("anywhere", ".", "a.b", "is excluded by '.' in 'a.b'"),
        ("anywhere", "*", "a*b", "is excluded by '*' in 'a*b'"),
        ("anywhere", "é", "É", "is excluded by 'é'"),
        ("words", "cor", "CORRECTED", ""),
        ("words", "cor", "wb_cor2", "is excluded by 'cor'"),
        ("words", "cor*", "CORRECTED", "is excluded by 'cor*' in 'CORRECTED'"),
        ("words", "*nac", "wbNAC", "is excluded by '*nac' in 'wbNAC'"),
        ("words", "no ac", "NO-AC", "is excluded by 'no ac' in 'NO-AC'"),
        ("words", "no ac", "NO 3 AC", ""),
        ("words", "no ac", "NOAC", ""),
        ("words", "3d", "WB_3D", "is excluded by '3d'"),
        ("words", "3d", "13D", ""),
        ("words", "3 d", "3D", "is excluded by '3 d' in '3D'"),
    ],
)
def test_how_a_term_is_found(match: str, term: str, description: str, said: str) -> None:
    assert refusal(SeriesRules("PT", Match(match), exclude=(term,)), description) == said


def test_the_first_term_of_the_table_is_named() -> None:
    assert "'uncorrected'" in refusal(load("default").pet, "PET WB Uncorrected cor")


@given(st.text(max_size=40), st.sampled_from(["default", "strict", "general"]))
def test_any_description_passes_or_has_a_reason_in_one_line(description: str, rules: str) -> None:
    for half in (load(rules).pet, load(rules).ct):
        assert (
            refusal(half, description) == refusal(half, description.swapcase().swapcase()) or not description.isascii()
        )


TABLES = '[pet]\nmodality = "PT"\nrequire = ["FDG"]\n[ct]\nmodality = "CT"\n'


def test_rules_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TABLES)
    rules = load(str(path))
    assert refusal(rules.pet, "PET WB NAC fdg") == ""
    assert refusal(rules.pet, "PET WB") == "has no 'FDG'"
    assert refusal(rules.ct, "") == ""


BROKEN = {
    "[pet": "cannot be read",
    '[pet]\nmodality = "PT"\n': "two tables",
    TABLES + "[mr]\n": "two tables",
    "pet = 1\nct = 2\n": r"\[pet\] of the rules .* is no table",
    TABLES + "excluded = []\n": "unknown key excluded",
    TABLES + 'exclude = "cor"\n': "needs a list as exclude",
    TABLES + "exclude = [1]\n": "term that is none: 1",
    TABLES + 'exclude = [" "]\n': "term that is none: ' '",
    TABLES + 'match = "regex"\n': "no match 'regex': anywhere or words",
    TABLES.replace('"CT"', '""'): "no modality",
}


@pytest.mark.parametrize(("text", "said"), BROKEN.items(), ids=BROKEN.values())
def test_files_that_are_none_of_rules(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load(str(path))
    assert "default.toml" in caught.value.hint


def test_no_such_rules() -> None:
    with pytest.raises(UsageError, match="no rules loose") as caught:
        load("loose")
    assert caught.value.hint == "name a file, or default, strict, general"


def test_attenuation_correction_is_not_coronal() -> None:
    ct = load("general").ct
    assert refusal(ct, "CT Atten Cor Head In") == ""
    assert refusal(ct, "CT Atten Cor, COR") == "is excluded by 'cor'"
