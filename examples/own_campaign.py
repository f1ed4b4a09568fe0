"""A campaign of one's own, from configuration to data frame: ``python examples/own_campaign.py DIRECTORY [CELLS]``."""

from __future__ import annotations

import sys

import dynaphase as dp
from dynaphase.config import make_config


def main(directory: str, n: int = 96) -> None:
    """Search the stoichiometric line on `n`² cells and say what to make."""
    config = make_config(
        {
            "seed": 1,
            "model": "paper",
            "settings": {"n": n},
            "space": {"sampler": "line"},
            "design": {"n_initial": 8, "n_held_out": 6},
            "rounds": {"batch": 2, "n_confirm": 2},
            "stop": {"budget": 24},
        }
    )
    campaign = dp.Campaign.create(directory, config=config)
    reason = campaign.run()
    print(f"stopped because of {reason}; {len(campaign.frame())} simulations")
    for item in campaign.suggest(2):
        print(item.formula, item.reason)
    print("report:", dp.write_report(campaign))


if __name__ == "__main__":  # the simulations run in worker processes, which import this file
    directory, *cells = sys.argv[1:]
    main(directory, *map(int, cells))
