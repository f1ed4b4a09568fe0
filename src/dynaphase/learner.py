"""The surrogate of a campaign as it stood at any time, fitted once."""

from __future__ import annotations

from dynaphase.config import CampaignConfig
from dynaphase.journal import Journal
from dynaphase.space import CompositionSpace
from dynaphase.training import Learned, features_of, learn

__all__ = ["Learner"]


class Learner:
    """Fits the surrogate of a journal, unless that is the one it fitted last."""

    def __init__(self, config: CampaignConfig, space: CompositionSpace) -> None:
        self._config = config
        self._space = space
        self._features = features_of(config, space)  # one for all fits: it remembers what it has described
        self._last: tuple[tuple[str, ...], Learned] | None = None

    def learn(self, journal: Journal) -> Learned:
        """The surrogate of all records of `journal`; fitting the same ones again would give the same.

        Raises
        ------
        FitError
            If there are too few simulations to learn from yet.
        """
        if self._last is None or self._last[0] != journal.arrivals:
            learned = learn(journal.plans, journal.records, self._config, self._features)
            self._last = (journal.arrivals, learned)
        return self._last[1]
