"""The style sheet that every page shares: colours and base rules, also of the approval page. Pure."""

from pathlib import Path

BASE_STYLE = (Path(__file__).parent / "templates" / "base.css").read_text(encoding="utf-8")
