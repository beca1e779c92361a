"""What those who run it every night need: a log for machines, figures, lineage while it runs, and a dry run."""
