"""What lies below Linux, and in the cards: pure parsing and prediction, without any I/O."""
