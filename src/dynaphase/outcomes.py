"""What a campaign learns of its records: S and σ always, and whatever else its goal names.

A goal may bound or seek any outcome of the model, such as ``void_fraction <= 0.05``: the surrogate then learns that
too.  One that names what the model does not measure is refused before anything is simulated.
"""

from __future__ import annotations

from typing import Final

from dynaphase.config import CampaignConfig
from dynaphase.errors import ConfigError, unknown_choice
from dynaphase.surrogate import DEFAULT_TARGETS, Identity, Log10, LogitPercent, Target

__all__ = ["CRITICAL_CURRENT", "check_goal", "outcomes_of", "standard_targets", "targets_of"]

CRITICAL_CURRENT: Final = Target("critical_current_density_mA_per_cm2", Log10(), "mA/cm²", prior_std=0.3)
"""Critical current density: modelled on its logarithm (to which base is all the same), a descriptor of the record."""

_SHARED: Final = (
    Target("grain_size_nm", Log10(), "nm", prior_std=0.3),
    Target("void_fraction", Identity(), "1", prior_std=0.05),  # it may be 0, as may a width
    Target("interface_width_nm", Identity(), "nm", prior_std=2.0),
    Target("aged_conductivity_S_per_cm", Log10(), "S/cm", prior_std=1.0),
)

_FURTHER: Final[dict[str, tuple[Target, ...]]] = {
    "physical": (
        *_SHARED,
        Target("stability_score_calibrated", LogitPercent(), "%", prior_std=2.0),
        Target("stability_score_direct", LogitPercent(), "%", prior_std=2.0),
        Target("across_conductivity_S_per_cm", Log10(), "S/cm", prior_std=1.0),
        Target("eta_onset_mV", Identity(), "mV", prior_std=20.0),
        Target("eta_50_mV", Identity(), "mV", prior_std=20.0),
        Target("eta_perc_mV", Identity(), "mV", prior_std=20.0),
        Target("quasi_static_critical_current_density_mA_per_cm2", Log10(), "mA/cm²", prior_std=0.3),
        Target("interphase_thickness_nm", Identity(), "nm", prior_std=2.0),
        Target("interphase_resistance_ohm_cm2", Identity(), "Ω cm²", prior_std=1.0),
    ),
    "paper": (*_SHARED, Target("intact_fraction", Identity(), "1", prior_std=0.1)),
}
"""Outcomes that are learned if the goal names them; on a logarithm where they are positive and span decades."""

_OPTIONAL: Final[dict[str, tuple[Target, ...]]] = {
    "until_short": (Target("eta_short_mV", Identity(), "mV", prior_std=20.0),),
    "leakage": (
        Target("leakage_current_mA_per_cm2", Log10(), "mA/cm²", prior_std=1.0),
        Target("internal_lithium_nm", Identity(), "nm", prior_std=2.0),
    ),
    "stripping": (
        Target("plated_inside_nm", Identity(), "nm", prior_std=2.0),
        Target("stripped_fraction", Identity(), "1", prior_std=0.1),
        Target("contact_loss_fraction", Identity(), "1", prior_std=0.1),
    ),
}
"""The same, measured where this option of the physical model is on."""

_N_OBJECTIVES: Final = {"expected-improvement": (1,), "hypervolume": (2, 3)}


def standard_targets(model: str) -> tuple[Target, ...]:
    """What every campaign of `model` learns: S and σ; of the physical model also the critical current density."""
    return (*DEFAULT_TARGETS, CRITICAL_CURRENT) if model == "physical" else DEFAULT_TARGETS


def outcomes_of(config: CampaignConfig) -> dict[str, Target]:
    """Everything that can be learned of the records of a campaign, by name."""
    found = [*standard_targets(config.model), *_FURTHER[config.model]]
    for option, targets in _OPTIONAL.items():
        found += targets if getattr(config.settings, option, False) else ()
    return {target.name: target for target in found}


def targets_of(config: CampaignConfig) -> tuple[Target, ...]:
    """What a campaign learns: the standard targets, then those that only its goal names."""
    outcomes, standard = outcomes_of(config), standard_targets(config.model)
    known = {target.name for target in standard}
    return (*standard, *(outcomes[name] for name in config.goal.goal().targets if name not in known))


def check_goal(config: CampaignConfig) -> None:
    """Refuse a goal that the campaign could not pursue.

    Raises
    ------
    ConfigError
        If it names what the model does not measure (or only with an option that is off), bounds a quantity at or below
        0 that is modelled on its logarithm, or has a number of objectives that the acquisition does not take.
    """
    outcomes, goal = outcomes_of(config), config.goal.goal()
    for name in goal.targets:
        if name in outcomes:
            continue
        for option, targets in _OPTIONAL.items():
            if config.model == "physical" and name in {target.name for target in targets}:
                raise ConfigError(f"[goal]: it names {name}, which is measured only with settings.{option} = true")
        raise unknown_choice(f"[goal]: in the {config.model} model the outcome", name, outcomes)
    limits = {str(c): (c.target, c.bound) for c in goal.constraints}
    limits |= {f"reference of '{o}'": (o.target, o.reference) for o in goal.objectives if o.reference is not None}
    for text, (name, value) in limits.items():
        if isinstance(outcomes[name].transform, Log10) and not value > 0:
            raise ConfigError(f"[goal]: {text}: {name} is modelled on its logarithm, so that must be above 0")
    n, allowed = len(goal.objectives), _N_OBJECTIVES.get(config.rounds.acquisition)
    if allowed is not None and n not in allowed:
        raise ConfigError(
            f"[rounds] acquisition '{config.rounds.acquisition}' takes {' or '.join(map(str, allowed))} "
            f"objective{'' if allowed == (1,) else 's'}, and [goal] has {n}: change goal.objectives, for example to "
            + ('["max ceramic_conductivity_S_per_cm"]' if allowed == (1,) else "S and σ of the ceramic, its default")
        )
