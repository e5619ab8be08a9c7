"""What must hold from a first start on; ``make test-image-start`` runs the most needed of it."""
