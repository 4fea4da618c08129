"""The report of an audit: one self-contained page that shows each swipe, its verdict and the evidence."""

from edge_agent.report.facts import RecordingFact, RefusedPhoto, ReportFacts
from edge_agent.report.page import write_report

__all__ = ["RecordingFact", "RefusedPhoto", "ReportFacts", "write_report"]
