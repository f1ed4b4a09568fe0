"""S and σ of Li1+xAlxGe2−x(PO4)3 along x, without a campaign: ``python examples/screen_the_line.py [CELLS]``."""

from __future__ import annotations

import sys

import dynaphase as dp


def main(n: int = 128) -> None:
    """Simulate ten compositions on `n`² cells and print one line each."""
    lagp = dp.get_system("lagp")
    print("formula                        S   σ box   σ ceramic (S/cm)")
    for step in range(10):
        record = dp.evaluate(lagp.from_coordinates(step / 10), model="paper", seed=0, settings={"n": n})
        values = record.values
        print(
            f"{record.formula:26s} {values['stability_score']:5.1f} "
            f"{values['ionic_conductivity_S_per_cm']:.1e} {values['ceramic_conductivity_S_per_cm']:.1e}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
