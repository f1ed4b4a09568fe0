"""Against BoTorch: hypervolumes, logarithmic expected improvement, noisy expected hypervolume improvement."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from dynaphase.acquisition import Goal, Hypervolume, Pool
from dynaphase.acquisition.aims import derived_reference
from dynaphase.acquisition.improvement import log_expected_improvement
from tests.test_acquisition import joint
from tests.test_acquisition_goal import volume

RNG = np.random.default_rng


@pytest.mark.parametrize("m", [2, 3])
def test_hypervolume_and_reference(m: int) -> None:
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume as Theirs
    from botorch.utils.multi_objective.hypervolume import infer_reference_point
    from botorch.utils.multi_objective.pareto import is_non_dominated

    values = RNG(m).standard_normal((40, m))
    tensor = torch.as_tensor(values)
    front = tensor[is_non_dominated(tensor)]
    reference = infer_reference_point(front)
    assert derived_reference(values) == pytest.approx(reference.numpy())
    assert volume(values, reference.numpy()) == pytest.approx(Theirs(reference).compute(front))


def test_logarithmic_expected_improvement() -> None:
    import torch
    from botorch.acquisition.analytic import _log_ei_helper

    z = np.array([-1e3, -50.0, -5.0, -1.0, -0.5, 0.0, 2.0, 9.0])
    expected = _log_ei_helper(torch.as_tensor(z)).numpy()
    assert log_expected_improvement(2 + 0.5 * z, np.full(8, 0.5), 2.0) == pytest.approx(
        expected + np.log(0.5), rel=1e-9
    )


def test_noisy_expected_hypervolume_improvement() -> None:
    """The order of candidates and the value of a batch, from the same Gaussian process in BoTorch."""
    import torch
    from botorch.acquisition.multi_objective.monte_carlo import qNoisyExpectedHypervolumeImprovement
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.sampling.normal import SobolQMCNormalSampler

    rng = RNG(0)
    X, seen = rng.random((40, 2)), rng.random((10, 2))
    Y = np.stack([np.sin(4 * seen[:, 0]) - seen[:, 1], np.cos(3 * seen[:, 1] - seen[:, 0])])
    models = []
    for y in Y:
        from gpytorch.kernels import RBFKernel

        prior = RBFKernel().double()
        prior.lengthscale = 0.25
        tensor = torch.as_tensor(y)[:, None]
        model = SingleTaskGP(
            torch.as_tensor(seen), tensor, torch.full_like(tensor, 0.02), covar_module=prior, outcome_transform=None
        )
        models.append(model.eval())
    every = np.vstack([X, seen])
    mean, covariances = [], []
    with torch.no_grad():
        for model in models:
            one = model.posterior(torch.as_tensor(every)).distribution
            mean.append(one.mean.numpy())
            covariances.append(one.covariance_matrix.numpy())
    goal = Goal.parse(["max t0", "max t1"], reference=[-0.5, -0.5])
    pool = Pool(every, joint(*covariances, noise=0.02, mean=np.stack(mean)), range(40, 50), goal=goal)
    chosen = Hypervolume(n_draws=512).select(pool, 3, RNG(0))
    theirs = qNoisyExpectedHypervolumeImprovement(
        ModelListGP(*models),
        ref_point=[-0.5, -0.5],
        X_baseline=torch.as_tensor(seen),
        sampler=SobolQMCNormalSampler(torch.Size([512]), seed=0),
        prune_baseline=False,
    )
    with torch.no_grad():
        singles = theirs(torch.as_tensor(X)[:, None]).numpy()
        ours = float(theirs(torch.as_tensor(every[chosen])[None])[0])
        batch: list[int] = []
        for _ in range(3):
            values = [float(theirs(torch.as_tensor(X[[*batch, i]])[None])[0]) for i in range(40)]
            batch.append(int(np.argmax(values)))
        best = max(values)
    assert singles[chosen[0]] > 0.97 * singles.max()
    assert ours > 0.97 * best


def test_no_native_code_is_built() -> None:
    """A batch imports neither BoTorch's compiled hypervolume nor what would build it."""
    code = (
        "import numpy as np, sys; from tests.test_acquisition_goal import two_objectives, RNG;"
        "from dynaphase.acquisition import Hypervolume, Thompson;"
        "pool = two_objectives(20, 0, simulated=[0, 1]);"
        "print(Hypervolume().select(pool, 2, RNG(0)), Thompson().select(pool, 2, RNG(0)), file=sys.stderr);"
        "print(' '.join(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "dynaphase.acquisition.hypervolume" in loaded
    assert not {"torch", "torch.utils.cpp_extension", "botorch", "logei_fused_ext", "numba"} & loaded
