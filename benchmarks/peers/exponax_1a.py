"""PFHub 1a to t = 1000 by exponax (ETDRK2, pseudo-spectral, float64); one JSON document, or exit code 3 without it.

python benchmarks/peers/exponax_1a.py N DT
"""

from __future__ import annotations

import json
import sys
import time

try:
    import jax
    import jax.numpy as jnp
    from exponax.stepper.reaction import CahnHilliard
except ImportError:
    sys.exit(3)


def main() -> None:
    n, dt = int(sys.argv[1]), float(sys.argv[2])
    jax.config.update("jax_enable_x64", True)
    # f' = 20u³ − 0.8u of u = c − ½, κ = 2, M = 5
    stepper = CahnHilliard(
        2,
        200.0,
        n,
        dt,
        diffusivity=5.0,
        gamma=2.0,
        first_order_coefficient=-0.8,
        third_order_coefficient=20.0,
        order=2,
    )
    x = (jnp.arange(n) + 0.5) * 200.0 / n
    x, y = x[:, None], x[None, :]
    waves = jnp.cos(0.105 * x) * jnp.cos(0.11 * y) + (jnp.cos(0.13 * x) * jnp.cos(0.087 * y)) ** 2
    waves += jnp.cos(0.025 * x - 0.15 * y) * jnp.cos(0.07 * x - 0.02 * y)
    n_steps = round(1000.0 / dt)
    start = 0.01 * waves[None]
    run = jax.jit(lambda u: jax.lax.fori_loop(0, n_steps, lambda _, v: stepper(v), u))
    compiled = run.lower(start).compile()
    wall, cpu = time.perf_counter(), time.process_time()
    u = compiled(start).block_until_ready()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    h = 200.0 / n
    slopes = sum(jnp.sum((jnp.roll(u, -1, axis) - u) ** 2) for axis in (1, 2))
    energy = jnp.sum(5 * (u**2 - 0.04) ** 2) * h**2 + slopes
    print(json.dumps({"cpu_seconds": cpu, "wall_seconds": wall, "dt": dt, "energy_at_1000": float(energy)}))


if __name__ == "__main__":
    main()
