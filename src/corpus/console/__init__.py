"""The dataset on pages: a read-only console for this machine's browser, without a JVM, a network or a third party."""
