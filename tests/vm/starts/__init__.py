"""What must hold from a machine's first start on; ``make test-image-start`` runs the most needed."""
