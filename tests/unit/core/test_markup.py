"""Texts of others in Markdown, BibTeX and links."""

import pytest

from tcia_xnat.core.markup import bibtex, doi_url, markdown, web_address


def test_markdown_shows_the_text_and_nothing_more() -> None:
    assert markdown("a|b\nc <script>x</script> [y](javascript:1) `z`") == (
        r"a\|b c &lt;script>x&lt;/script> \[y\](javascript:1) \`z\`"
    )
    assert markdown("cmb_aml & CC BY-NC 4.0") == "cmb_aml & CC BY-NC 4.0"


def test_bibtex_stays_in_its_braces() -> None:
    assert bibtex("a}\n@misc{evil, % \\x") == r"a\} @misc\{evil, \% \textbackslash x"


@pytest.mark.parametrize(
    ("doi", "address"),
    [
        ("10.7937/pcte-6m66", "https://doi.org/10.7937/pcte-6m66"),
        ("10.1/a(b)_c", "https://doi.org/10.1/a%28b%29_c"),
        ("10.1/x}\n@misc{evil,", ""),
        ('10.1/"><script>', "https://doi.org/10.1/%22%3E%3Cscript%3E"),
        ("https://wiki.example.org/x", "https://wiki.example.org/x"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("", ""),
        ("no DOI", ""),
    ],
)
def test_a_doi_is_a_link_and_nothing_else_is(doi: str, address: str) -> None:
    assert doi_url(doi) == address


@pytest.mark.parametrize(
    "text",
    ["javascript:alert(1)///data", "JAVASCRIPT:x", "data:,x", "//host/x", "https://", "https://u:p@host", "http://[",
     "https://host/\nx", "vbscript:x", "https://host\\@evil", ""],
)  # fmt: skip
def test_only_web_addresses_are_links(text: str) -> None:
    assert not web_address(text)
    assert web_address("https://xnat.example.org/a") == "https://xnat.example.org/a"
