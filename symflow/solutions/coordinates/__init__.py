"""Flows whose coordinates move alone: eigenvectors, diagonal networks, frequencies."""
