"""What a run leaves behind for people and programs: report.json, report.csv, failed.tcia, and the summary."""

from tcia_xnat.report import summary
from tcia_xnat.report.files import write
from tcia_xnat.report.verdict import exit_code, plan_exit_code, verdict_of

__all__ = ["exit_code", "plan_exit_code", "summary", "verdict_of", "write"]
