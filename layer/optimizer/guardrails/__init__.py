"""What the policy allows: the rules of each change and of the run. Pure; docs/architecture.md gives the order."""

from optimizer.guardrails.check import check, recheck, still_allowed
from optimizer.guardrails.run import Account, Held
from optimizer.guardrails.verdict import Decision, Refusal, Verdict

__all__ = ["Account", "Decision", "Held", "Refusal", "Verdict", "check", "recheck", "still_allowed"]
