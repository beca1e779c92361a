"""The eligibility vectors of the contract, as this repository keeps them."""

from pathlib import Path

VECTORS = Path(__file__).parent / "eligibility.yaml"
