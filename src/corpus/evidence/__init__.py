"""What proves a version: intents, statements, and the files they stand in. No Spark here."""
