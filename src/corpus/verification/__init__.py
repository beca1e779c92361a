"""A dataset's evidence checked as a whole: what is signed against what lies there, without Spark."""
