"""The second path: every verdict derived again by SQL in DuckDB, sharing only the contract's names with the first."""
