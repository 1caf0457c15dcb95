"""The durable ledger: what should be at each vendor, what is, and what may be called when."""

from pipeline.ledger.accounts import HOLD_AFTER
from pipeline.ledger.audit import Act
from pipeline.ledger.backlogs import BOUND, STATES
from pipeline.ledger.doubting import Listener
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.revisions import Reading, Revision, RulesHold, RulesState
from pipeline.ledger.values import (
    FOR_GOOD,
    MARGIN,
    SLACK,
    Applied,
    Backlog,
    Budget,
    Claim,
    Counted,
    DataRefused,
    Grant,
    Hold,
    LedgerUnavailable,
    LedgerWentBack,
    Message,
    Partition,
    Posted,
    Quota,
    Replayed,
    Result,
    Settled,
    Stopped,
    Taken,
)

__all__ = [
    "BOUND",
    "FOR_GOOD",
    "HOLD_AFTER",
    "MARGIN",
    "SLACK",
    "STATES",
    "Act",
    "Applied",
    "Backlog",
    "Budget",
    "Claim",
    "Counted",
    "DataRefused",
    "Grant",
    "Hold",
    "Ledger",
    "LedgerUnavailable",
    "LedgerWentBack",
    "Listener",
    "Message",
    "Partition",
    "Posted",
    "Quota",
    "Reading",
    "Replayed",
    "Result",
    "Revision",
    "RulesHold",
    "RulesState",
    "Settled",
    "Stopped",
    "Taken",
]
