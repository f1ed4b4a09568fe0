"""Draw docs/picture.png from a finished campaign: ``python docs/make_picture.py demo-campaign``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dynaphase.campaign import Campaign
from dynaphase.report.gallery import microstructure_image

SIGMA = "ionic_conductivity_S_per_cm"


def main(directory: str) -> None:
    """Draw the picture from the campaign in `directory`."""
    campaign = Campaign.open(directory)
    frame = campaign.frame()
    # The reference has no second phase; a composition with lithium to spare shows what particles look like.
    rich = frame[(frame["status"] == "done") & (frame["descriptors.grain_size_nm"] > 12)]
    worst = rich.sort_values("stability_score").iloc[0]["key"]
    fields = campaign.fields(worst)
    length = float(fields.attrs["spacing_nm"]) * fields["C"].shape[0]
    image = microstructure_image(*(fields[name].values for name in ("grain_id", "boundary", "density", "phase_id")))

    figure = Figure(figsize=(13, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.12, 1.3, 1.9])
    box = {"extent": (0, length, 0, length), "origin": "lower", "interpolation": "nearest"}
    left.imshow(np.moveaxis(image, 0, 1), **box)
    left.set_title("simulated microstructure")
    shown = middle.imshow(fields["C"].values.T, vmin=0, vmax=1, cmap="viridis", **box)
    middle.set_title("intact after 1000 s")
    figure.colorbar(shown, ax=middle, label="C")
    for axes in (left, middle):
        axes.set(xlabel="anode → cathode (nm)", ylabel="nm")

    x, delta = np.meshgrid(np.linspace(0, 0.9, 91), np.linspace(-0.4, 0.4, 81))
    points = [campaign.system.from_coordinates(a, b) for a, b in zip(x.ravel(), delta.ravel(), strict=True)]
    predicted = campaign.learned().surrogate.predict(campaign.space.to_unit(points))[SIGMA]
    level = predicted.transformed_mean.reshape(x.shape)
    filled = right.contourf(x, delta, level, levels=np.arange(np.floor(level.min()), level.max() + 0.25, 0.25))
    figure.colorbar(filled, ax=right, label="log₁₀ σ (S/cm), simulated box", ticks=range(-12, 0))
    marks = (("initial", "o", "w"), ("active", "^", "orange"), ("confirmation", "D", "deepskyblue"))
    for role, marker, colour in marks:
        chosen = frame[frame["role"] == role]
        sites = [campaign.system.coordinates(campaign.system.read(f).composition) for f in chosen["formula"]]
        right.plot(*np.array(sites).reshape(-1, 2).T, marker, mfc=colour, mec="k", ms=5, label=role, clip_on=False)
    right.set(xlabel="x in Li$_{1+x+δ}$Al$_x$Ge$_{2−x}$(PO$_4$)$_3$", ylabel="lithium excess δ")
    right.set_title(f"σ learned from {len(frame)} simulations")
    right.legend(loc="lower left", fontsize="small")
    figure.savefig(Path(__file__).with_name("picture.png"), dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
