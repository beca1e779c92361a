"""The pages about one post or account: for the privacy team, after signing in, each look-up registered first."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
