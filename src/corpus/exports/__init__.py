"""A version described for others, in their formats, from its statement: docs/exports.md says what each holds."""
