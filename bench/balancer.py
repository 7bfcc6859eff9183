"""A thousand replicas: which way of choosing one keeps the wait short, and which finds the pictures that a replica has read already?

    python bench/balancer.py [--replicas 1000] [--quick]

Simulated (scaling/balancer.py): nothing is measured but the microseconds that a choice takes. Every row is the same arrivals.
A gateway knows of its own calls alone.
"""

from __future__ import annotations

import argparse

from scaling.balancer import WAYS, Fleet, Shipped, simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument(
        "--quick", action="store_true", help="without the pool's own code, which takes milliseconds for a choice among so many"
    )
    arguments = parser.parse_args()
    for gateways in (1, 24):
        fleet = Fleet(replicas=arguments.replicas, gateways=gateways)
        print(f"\n{fleet.replicas} replicas of {fleet.slots} slots, {fleet.load:.0%} busy; {gateways} gateway(s)")
        print(f"{'':<22} {'wait p50':>10} {'p99':>10} {'worst':>10} {'known pictures':>15} {'most / mean':>12} {'a choice':>10}")
        for name, (way, apart) in WAYS.items():
            if arguments.quick and way is Shipped:
                continue
            told = simulate(fleet, way, apart)
            waits = f"{1000 * told.wait_p50:>7.0f} ms {1000 * told.wait_p99:>7.0f} ms {1000 * told.wait_worst:>7.0f} ms"
            print(f"{name:<22} {waits} {told.hits:>15.1%} {told.most:>12.2f} {told.choice_us:>7.1f} us", flush=True)


if __name__ == "__main__":
    main()
