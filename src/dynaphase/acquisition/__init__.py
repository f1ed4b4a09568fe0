"""Acquisitions: which candidates to simulate next.

An acquisition is a small frozen object with one method, ``select(pool, n, rng)``, that reads a `Pool` and answers
with indices.  It knows no Gaussian process: the posterior is arrays, so closed forms test it.

==================  ==================================================================================
``goal``            what is wanted: objectives, bounds on outcomes, reference point
``pool``            what there is to choose from, and the contract of an acquisition
``conditioning``    the posterior after further observations, at the cost of the columns that are used
``aims``            a goal on the scales of a posterior: what is wanted, as arrays
``levels``          several levels of fidelity: which row of a composition, and the least share of the top
``variance``        `MaxVariance`, `IntegratedVariance`
``improvement``     `ExpectedImprovement` of one objective
``boxes``           what points add to hypervolumes, by boxes that no point dominates
``draws``           joint draws of the objectives, candidate after candidate
``hypervolume``     `Hypervolume`: noisy expected improvement of the hypervolume
``thompson``        `Thompson`: the best of one draw each
``references``      `Random`, `Sobol`: what the others have to beat
``names``           name → acquisition, entry points included
==================  ==================================================================================
"""

from __future__ import annotations

from dynaphase.acquisition.goal import Constraint, Goal, Objective
from dynaphase.acquisition.hypervolume import Hypervolume
from dynaphase.acquisition.improvement import ExpectedImprovement
from dynaphase.acquisition.names import ACQUISITIONS, acquisition_from_name
from dynaphase.acquisition.pool import Acquisition, Pool, make_pool
from dynaphase.acquisition.references import Random, Sobol
from dynaphase.acquisition.thompson import Thompson
from dynaphase.acquisition.variance import IntegratedVariance, MaxVariance

__all__ = [
    "ACQUISITIONS",
    "Acquisition",
    "Constraint",
    "ExpectedImprovement",
    "Goal",
    "Hypervolume",
    "IntegratedVariance",
    "MaxVariance",
    "Objective",
    "Pool",
    "Random",
    "Sobol",
    "Thompson",
    "acquisition_from_name",
    "make_pool",
]
