"""Checks that a post or an account is, or is not, in a version of a dataset. Needs no data and no secret.

The definitions stand here once, for those who make proofs and those who check them; docs/proofs.md describes the bytes.
"""
