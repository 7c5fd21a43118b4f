"""PET/CT pairs: rules in a table, verdicts on studies, a CSV that `download.py` takes."""

from tcia_xnat.pairs.judge import Judged, Order, SeriesRow, Verdict, judge
from tcia_xnat.pairs.rules import Match, Rules, SeriesRules, load
from tcia_xnat.pairs.table import explained_csv, explained_line, pairs_csv

__all__ = [
    "Judged",
    "Match",
    "Order",
    "Rules",
    "SeriesRow",
    "SeriesRules",
    "Verdict",
    "explained_csv",
    "explained_line",
    "judge",
    "load",
    "pairs_csv",
]
