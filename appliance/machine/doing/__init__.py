"""How each order is done, by the helper alone: one module for each subject, one table for all."""
