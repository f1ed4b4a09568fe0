"""Draw docs/picture.png from a finished campaign on LAGP: ``python docs/make_picture.py demo-campaign``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import dynaphase as dp
from dynaphase.campaign import Campaign
from dynaphase.report.gallery import microstructure_image

SCORE, SIGMA = "stability_score", "ionic_conductivity_S_per_cm"
SHOWN = {"x": 0.7, "seed": 0}
"""A composition beyond the solubility limit: it has second phases to show."""


def main(directory: str) -> None:
    """Draw one simulation, and what the campaign in `directory` has learned."""
    campaign = Campaign.open(directory)
    figure = Figure(figsize=(15, 3.9), layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=[1.35, 1.5, 1.5, 1.5])
    draw_fields(panels[:2], campaign)
    x, delta = np.meshgrid(np.linspace(0, 0.9, 91), np.linspace(-0.4, 0.4, 81))
    points = [campaign.system.from_coordinates(a, b) for a, b in zip(x.ravel(), delta.ravel(), strict=True)]
    predicted = campaign.learned().surrogate.predict(campaign.space.to_unit(points))
    score, sigma = predicted[SCORE].mean, predicted[SIGMA].transformed_mean
    draw_map(panels[2], campaign, (x, delta, score.reshape(x.shape)), "stability score S", 0.5)
    draw_map(panels[3], campaign, (x, delta, sigma.reshape(x.shape)), "log₁₀ σ (S/cm), simulated box", 0.25)
    panels[3].legend(loc="lower left", fontsize="small")
    figure.savefig(Path(__file__).with_name("picture.png"), dpi=110)


def draw_fields(panels: Any, campaign: Campaign) -> None:
    """Microstructure with the lithium that has entered it, and the interphases."""
    composition = campaign.system.from_coordinates(SHOWN["x"])
    record = dp.evaluate(composition, seed=int(SHOWN["seed"]))
    assert record.fields is not None
    fields = record.fields.arrays
    image = microstructure_image(*(fields[name] for name in ("grain_id", "boundary", "density", "phase_id")))
    length = record.fields.spacing_nm * image.shape[0]
    box: dict[str, Any] = {"extent": (0, length, length, 0), "interpolation": "nearest"}
    panels[0].imshow(image, **box)
    red = ListedColormap([(0.85, 0.1, 0.1, a) for a in np.linspace(0, 0.85, 64)])
    panels[0].imshow(fields["lithium"], cmap=red, vmin=0, vmax=1, **box)
    panels[0].set(title="sintered; lithium (red)", ylabel="cathode ← lithium (nm)", xlabel="nm")
    shown = panels[1].imshow(fields["decomposed"], cmap="cividis", vmin=0, vmax=1, **box)
    panels[1].set(title="decomposed after 1000 s", xlabel="nm")
    panels[1].figure.colorbar(shown, ax=panels[1], label="χ", shrink=0.8)


def draw_map(axes: Any, campaign: Campaign, values: tuple[Any, Any, Any], label: str, step: float) -> None:
    """A learned quantity over x and δ with everything that was simulated; the lowest twentieth shares one colour."""
    x, delta, level = values
    low = step * np.floor(np.quantile(level, 0.05) / step)
    filled = axes.contourf(x, delta, level, levels=np.arange(low, level.max() + step, step), extend="min")
    axes.figure.colorbar(filled, ax=axes, label=label)
    frame = campaign.frame().drop_duplicates("formula")
    marks = (("initial", "o", "w"), ("active", "^", "orange"), ("confirmation", "D", "deepskyblue"))
    for role, marker, colour in marks:
        chosen = frame[frame["role"] == role]
        sites = [campaign.system.coordinates(campaign.system.read(f).composition) for f in chosen["formula"]]
        axes.plot(*np.array(sites).reshape(-1, 2).T, marker, mfc=colour, mec="k", ms=4.5, label=role, clip_on=False)
    axes.set(xlabel="x in Li$_{1+x+δ}$Al$_x$Ge$_{2−x}$(PO$_4$)$_3$", ylabel="lithium excess δ")
    axes.set_title(f"learned from {len(campaign.records())} simulations")


if __name__ == "__main__":
    main(*sys.argv[1:])
