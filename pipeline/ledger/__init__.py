"""The durable ledger: what should be at each vendor, what is, and what may be called when."""

from pipeline.ledger.audit import Act
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.values import (
    MARGIN,
    SLACK,
    Applied,
    Backlog,
    Budget,
    Claim,
    DataRefused,
    Grant,
    LedgerUnavailable,
    Message,
    Posted,
    Quota,
    Result,
    Settled,
    Stopped,
)

__all__ = [
    "MARGIN",
    "SLACK",
    "Act",
    "Applied",
    "Backlog",
    "Budget",
    "Claim",
    "DataRefused",
    "Grant",
    "Ledger",
    "LedgerUnavailable",
    "Message",
    "Posted",
    "Quota",
    "Result",
    "Settled",
    "Stopped",
]
