"""The few starts that each change must pass; ``make test-image-starts`` runs them alone."""
