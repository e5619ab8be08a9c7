"""Two machines with a wire between them, each with an operator of its own."""
