"""DynaPhase: which solid electrolyte should we make next?

>>> import dynaphase as dp
>>> record = dp.evaluate("Li1.5Al0.5Ge1.5(PO4)3", seed=0)                # doctest: +SKIP
>>> campaign = dp.Campaign.create("my-campaign", preset="demo", seed=0)  # doctest: +SKIP
>>> campaign.run(); campaign.suggest(5); campaign.frame()                # doctest: +SKIP

Names are loaded when they are first used, so importing the package costs nothing and loads no numerical library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dynaphase.campaign import Campaign, Observer
    from dynaphase.composition import Composition
    from dynaphase.config import CampaignConfig, load_config
    from dynaphase.descriptors import stability_score
    from dynaphase.errors import DynaPhaseError
    from dynaphase.evaluation import evaluate
    from dynaphase.materials import get_system
    from dynaphase.records import Candidate, Record
    from dynaphase.report import write_report
    from dynaphase.store import Store

__version__: Final = "0.1.0"

_HOMES: Final = {
    "Campaign": "campaign",
    "CampaignConfig": "config",
    "Candidate": "records",
    "Composition": "composition",
    "DynaPhaseError": "errors",
    "Observer": "campaign",
    "Record": "records",
    "Store": "store",
    "evaluate": "evaluation",
    "get_system": "materials",
    "load_config": "config",
    "stability_score": "descriptors",
    "write_report": "report",
}

__all__ = [
    "Campaign",
    "CampaignConfig",
    "Candidate",
    "Composition",
    "DynaPhaseError",
    "Observer",
    "Record",
    "Store",
    "evaluate",
    "get_system",
    "load_config",
    "stability_score",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dynaphase' has no attribute '{name}'; it has {', '.join(__all__)}")
    return getattr(import_module(f"dynaphase.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
